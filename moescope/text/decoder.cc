#include "moescope/text/decoder.h"

#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/io/utf8.h"
#include "moescope/text/byte_level.h"
#include "moescope/text/json_fields.h"
#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

class ByteLevelDecoder : public Decoder {
 public:
  void decode(std::vector<std::string>& pieces) const override {
    std::string bytes;
    for (std::string& piece : pieces) bytes += piece_bytes(std::move(piece));
    std::int64_t n_replaced = 0;  // tokens may stop in the middle of a character: no news to anybody
    pieces = {io::repair_utf8(std::move(bytes), n_replaced)};
  }
  std::string piece_bytes(std::string piece) const override {
    auto bytes = from_byte_characters(piece);
    return bytes ? std::move(*bytes) : std::move(piece);
  }
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(const nlohmann::json& json, const std::string& place) {
  const JsonFields fields(json, place);
  const std::string type = fields.string("type");
  if (type == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
  throw input_error("{} is of the unknown type '{}'", place, type);
}

}  // namespace moescope::text
