#include "moescope/text/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"
#include "moescope/io/utf8.h"
#include "moescope/text/byte_level.h"
#include "moescope/text/json_fields.h"
#include "moescope/text/metaspace.h"
#include "moescope/text/pattern.h"
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

// "<0x0A>" is one byte. Runs of bytes that are not UTF-8 become U+FFFD each.
class ByteFallbackDecoder : public Decoder {
 public:
  void decode(std::vector<std::string>& pieces) const override {
    std::vector<std::string> out;
    std::string bytes;
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (io::is_utf8(bytes)) {
        out.push_back(bytes);
      } else {
        out.insert(out.end(), bytes.size(), "\xEF\xBF\xBD");
      }
      bytes.clear();
    };
    for (std::string& piece : pieces) {
      if (const auto byte = byte_of(piece)) {
        bytes.push_back(*byte);
      } else {
        flush();
        out.push_back(std::move(piece));
      }
    }
    flush();
    pieces = std::move(out);
  }
  std::string piece_bytes(std::string piece) const override {
    const auto byte = byte_of(piece);
    return byte ? std::string(1, *byte) : std::move(piece);
  }

 private:
  static std::optional<char> byte_of(const std::string& piece) {
    if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
    int value = 0;
    for (const char c : {piece[3], piece[4]}) {
      const char lower = static_cast<char>(c | 0x20);
      if (c >= '0' && c <= '9') {
        value = value * 16 + (c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        value = value * 16 + (lower - 'a' + 10);
      } else {
        return std::nullopt;
      }
    }
    return static_cast<char>(value);
  }
};

std::string replace_parts(const std::string& text, const Pattern& pattern, std::string_view content) {
  std::string out;
  for (const PatternPart& part : pattern.parts(text)) {
    if (part.is_match) {
      out += content;
    } else {
      out.append(text, part.begin, part.end - part.begin);
    }
  }
  return out;
}

class MetaspaceDecoder : public Decoder {
 public:
  explicit MetaspaceDecoder(const JsonFields& fields)
      : options_(read_metaspace(fields)), replacement_(make_literal_pattern(options_.replacement)) {}

  void decode(std::vector<std::string>& pieces) const override {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const bool was_prepended = i == 0 && options_.scheme != PrependScheme::kNever;
      pieces[i] = replace_parts(pieces[i], *replacement_, was_prepended ? "" : " ");
    }
  }
  std::string piece_bytes(std::string piece) const override { return replace_parts(piece, *replacement_, " "); }

 private:
  MetaspaceOptions options_;
  std::unique_ptr<Pattern> replacement_;
};

class FuseDecoder : public Decoder {
 public:
  void decode(std::vector<std::string>& pieces) const override { pieces = {fmt::format("{}", fmt::join(pieces, ""))}; }
  std::string piece_bytes(std::string piece) const override { return piece; }
};

class ReplaceDecoder : public Decoder {
 public:
  explicit ReplaceDecoder(const JsonFields& fields)
      : pattern_(make_pattern(fields.required("pattern"), fields.place_of("pattern"))),
        content_(fields.string("content")) {}
  void decode(std::vector<std::string>& pieces) const override {
    for (std::string& piece : pieces) piece = piece_bytes(std::move(piece));
  }
  std::string piece_bytes(std::string piece) const override {
    // A piece can be part of a character here only behind a ByteFallback; such bytes match nothing.
    return io::is_utf8(piece) ? replace_parts(piece, *pattern_, content_) : piece;
  }

 private:
  std::unique_ptr<Pattern> pattern_;
  std::string content_;
};

// Takes up to `start` and `stop` copies of one character off the ends of each piece.
class StripDecoder : public Decoder {
 public:
  explicit StripDecoder(const JsonFields& fields)
      : content_(fields.string("content")), start_(fields.count("start")), stop_(fields.count("stop")) {
    if (count_code_points(content_) != 1) {
      throw input_error("{} is not one character: {}", fields.place_of("content"), io::quote_name(content_));
    }
  }
  void decode(std::vector<std::string>& pieces) const override {
    for (std::string& piece : pieces) {
      std::string_view view = piece;
      for (std::size_t i = 0; i < start_ && view.starts_with(content_); ++i) view.remove_prefix(content_.size());
      for (std::size_t i = 0; i < stop_ && view.ends_with(content_); ++i) view.remove_suffix(content_.size());
      piece = std::string(view);
    }
  }
  // What is stripped is an artefact of the ends of a text, not of the piece.
  std::string piece_bytes(std::string piece) const override { return piece; }

 private:
  std::string content_;
  std::size_t start_, stop_;
};

// A suffix ("</w>") marks the end of a word: a space, except at the end of the text.
class BpeDecoder : public Decoder {
 public:
  explicit BpeDecoder(const JsonFields& fields) : suffix_(make_literal_pattern(fields.string("suffix"))) {}
  void decode(std::vector<std::string>& pieces) const override {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      pieces[i] = replace_parts(pieces[i], *suffix_, i + 1 == pieces.size() ? "" : " ");
    }
  }
  std::string piece_bytes(std::string piece) const override { return replace_parts(piece, *suffix_, " "); }

 private:
  std::unique_ptr<Pattern> suffix_;
};

class SequenceDecoder : public Decoder {
 public:
  explicit SequenceDecoder(const JsonFields& fields) {
    const nlohmann::json& list = fields.array("decoders");
    for (std::size_t i = 0; i < list.size(); ++i) {
      decoders_.push_back(make_decoder(list[i], fmt::format("{}.decoders[{}]", fields.place(), i)));
    }
  }
  void decode(std::vector<std::string>& pieces) const override {
    for (const auto& decoder : decoders_) decoder->decode(pieces);
  }
  std::string piece_bytes(std::string piece) const override {
    for (const auto& decoder : decoders_) piece = decoder->piece_bytes(std::move(piece));
    return piece;
  }

 private:
  std::vector<std::unique_ptr<Decoder>> decoders_;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(const nlohmann::json& json, const std::string& place) {
  const JsonFields fields(json, place);
  const std::string type = fields.string("type");
  if (type == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
  if (type == "ByteFallback") return std::make_unique<ByteFallbackDecoder>();
  if (type == "Metaspace") return std::make_unique<MetaspaceDecoder>(fields);
  if (type == "Fuse") return std::make_unique<FuseDecoder>();
  if (type == "Replace") return std::make_unique<ReplaceDecoder>(fields);
  if (type == "Strip") return std::make_unique<StripDecoder>(fields);
  if (type == "BPEDecoder") return std::make_unique<BpeDecoder>(fields);
  if (type == "Sequence") return std::make_unique<SequenceDecoder>(fields);
  throw input_error("{} is of the unknown type {}", place, io::quote_name(type));
}

}  // namespace moescope::text
