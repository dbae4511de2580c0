// moescope tokenize: ids, offsets and pieces of a text.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/engine/opened_model.h"
#include "moescope/io/byte_source.h"
#include "moescope/io/utf8.h"

namespace moescope::cli {
namespace {

constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 31;

void print_json(const text::Tokenizer& tokenizer, const text::EncodedText& encoding) {
  nlohmann::ordered_json json = {
      {"ids", encoding.ids}, {"offsets", nlohmann::json::array()}, {"tokens", nlohmann::json::array()}};
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    json["offsets"].push_back({encoding.characters[i].begin, encoding.characters[i].end});
    json["tokens"].push_back(tokenizer.piece(encoding.ids[i]));
  }
  fmt::print("{}\n", json.dump());
}

// One line a token: id, characters, piece, and the text that it stands for.
void print_table(const text::Tokenizer& tokenizer, const text::EncodedText& encoding, std::string_view text) {
  fmt::print("{:>8}  {:>17}  {:<24}  {}\n", "id", "characters", "piece", "text");
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const auto [begin, end] = encoding.characters[i];
    const auto first = static_cast<std::size_t>(encoding.bytes[i].begin);
    const auto last = static_cast<std::size_t>(encoding.bytes[i].end);
    const bool is_inside = first <= last && last <= text.size();
    const nlohmann::json covered = is_inside ? std::string(text.substr(first, last - first)) : std::string();
    fmt::print("{:>8}  {:>17}  {:<24}  {}\n", encoding.ids[i], fmt::format("[{}, {})", begin, end),
               tokenizer.piece(encoding.ids[i]), covered.dump());
  }
  fmt::print("{} tokens\n", with_thousands(static_cast<std::int64_t>(encoding.ids.size())));
}

class TokenizeCommand : public Command {
 public:
  void describe(OptionList& list) override {
    choice_.describe(list);  // or a tokenizer.json
    list.add("file", file_, "file with the text (.gz and .zst are unpacked)", {.excludes = "text"});
    list.add("text", text_, "the text itself");
    list.add("special-tokens", special_tokens_, "add those of the tokenizer's post-processor");
    list.add("json", json_, "one object with ids, offsets (in characters) and tokens");
  }

  void run(const Session& session) override {
    if (file_.empty() && !text_) throw usage_error("give either {} or {}", option_name("file"), option_name("text"));
    const text::Tokenizer tokenizer = engine::open_tokenizer(choice_);
    const std::string text = input_text(session.console);
    const text::EncodedText encoding = tokenizer.encode(text, special_tokens_);
    if (json_) {
      print_json(tokenizer, encoding);
    } else {
      print_table(tokenizer, encoding, text);
    }
  }

 private:
  std::string input_text(const Console& console) const {
    std::string bytes = text_ ? *text_ : io::read_all(file_, kMaxFileBytes);
    std::int64_t n_replaced = 0;
    std::string text = io::repair_utf8(std::move(bytes), n_replaced);
    if (n_replaced > 0) {
      console.line(fmt::format("{}: {} bytes are not UTF-8 and were replaced; offsets count the replaced text",
                               text_ ? option_name("text") : file_.string(), with_thousands(n_replaced)));
    }
    return text;
  }

  engine::ModelChoice choice_;
  std::filesystem::path file_;
  std::optional<std::string> text_;
  bool special_tokens_ = false;
  bool json_ = false;
};

}  // namespace

const CommandEntry kTokenize = {"tokenize", "ids and character offsets of a text",
                                "Example: moescope tokenize models/tiny-olmoe --text 'The quick brown fox' "
                                "--json\nMODEL may also be a tokenizer.json.",
                                make<TokenizeCommand>};

}  // namespace moescope::cli
