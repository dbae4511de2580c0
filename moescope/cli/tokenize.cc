// moescope tokenize: ids, offsets and pieces of a text.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/engine/opened_model.h"
#include "moescope/io/byte_source.h"
#include "moescope/io/utf8.h"

namespace moescope::cli {
namespace {

struct TokenizeFlags {
  engine::ModelChoice choice;
  std::string file, text;
  bool special_tokens = false, json = false;
};

constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 31;

std::string input_text(const TokenizeFlags& flags, bool has_file, const Console& console) {
  std::string bytes = has_file ? io::read_all(flags.file, kMaxFileBytes) : flags.text;
  std::int64_t n_replaced = 0;
  std::string text = io::repair_utf8(std::move(bytes), n_replaced);
  if (n_replaced > 0) {
    console.line(fmt::format("{}: {} bytes are not UTF-8 and were replaced; offsets count the replaced text",
                             has_file ? flags.file : "--text", with_thousands(n_replaced)));
  }
  return text;
}

void print_json(const text::Tokenizer& tokenizer, const text::Encoding& encoding) {
  nlohmann::ordered_json json = {
      {"ids", encoding.ids}, {"offsets", nlohmann::json::array()}, {"tokens", nlohmann::json::array()}};
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    json["offsets"].push_back({encoding.characters[i].begin, encoding.characters[i].end});
    json["tokens"].push_back(tokenizer.piece(encoding.ids[i]));
  }
  fmt::print("{}\n", json.dump());
}

// One line a token: id, characters, piece, and the text that it stands for.
void print_table(const text::Tokenizer& tokenizer, const text::Encoding& encoding, std::string_view text) {
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

void run(const TokenizeFlags& flags, bool has_file, const Console& console) {
  const text::Tokenizer tokenizer = engine::open_tokenizer(flags.choice);
  const std::string text = input_text(flags, has_file, console);
  const text::Encoding encoding = tokenizer.encode(text, flags.special_tokens);
  if (flags.json) {
    print_json(tokenizer, encoding);
  } else {
    print_table(tokenizer, encoding, text);
  }
}

}  // namespace

void add_tokenize(CLI::App& command, const Session& session) {
  auto flags = std::make_shared<TokenizeFlags>();
  command
      .add_option("model", flags->choice.model,
                  "folder of a model, org/name in the Hugging Face cache, or a tokenizer.json")
      ->required();
  auto* input = command.add_option_group("input", "what to tokenize");
  CLI::Option* file = input->add_option("--file", flags->file, "file with the text (.gz and .zst are unpacked)");
  input->add_option("--text", flags->text, "the text itself");
  input->require_option(1);
  command.add_option("--revision", flags->choice.revision, "branch, tag or commit in the cache")->capture_default_str();
  command.add_flag("--special-tokens", flags->special_tokens, "add those of the tokenizer's post-processor");
  command.add_flag("--json", flags->json, "one object with ids, offsets (in characters) and tokens");
  command.footer("Example: moescope tokenize models/tiny-olmoe --text 'The quick brown fox' --json");
  command.callback([flags, file, console = session.console] { run(*flags, file->count() > 0, console); });
}

}  // namespace moescope::cli
