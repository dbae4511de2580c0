// The fixture model with a tokenizer of its own, as a folder that commands can be given, and a small corpus for it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "moescope/base/random.h"

namespace moescope::test {

namespace fs = std::filesystem;

// A folder that is removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "moescope-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// One piece a letter, digit and a few signs: 66 pieces and the end of text, as many as the fixture model's embedding.
inline std::string tiny_tokenizer_json(int n_extra = 0) {
  nlohmann::json vocab = nlohmann::json::object();
  const auto add = [&](const std::string& piece) { vocab[piece] = vocab.size(); };
  for (char c = 'a'; c <= 'z'; ++c) add(std::string(1, c));
  for (char c = 'A'; c <= 'Z'; ++c) add(std::string(1, c));
  for (char c = '0'; c <= '9'; ++c) add(std::string(1, c));
  for (const char* piece : {"Ġ", "Ċ", ".", ","}) add(piece);
  for (int i = 0; i < n_extra; ++i) add("extra" + std::to_string(i));
  const nlohmann::json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  return nlohmann::json{{"version", "1.0"},
                        {"truncation", nullptr},
                        {"padding", nullptr},
                        {"added_tokens",
                         {{{"id", vocab.size()},
                           {"content", "<|endoftext|>"},
                           {"single_word", false},
                           {"lstrip", false},
                           {"rstrip", false},
                           {"normalized", false},
                           {"special", true}}}},
                        {"normalizer", nullptr},
                        {"pre_tokenizer", byte_level},
                        {"post_processor", nullptr},
                        {"decoder", byte_level},
                        {"model",
                         {{"type", "BPE"},
                          {"dropout", nullptr},
                          {"unk_token", nullptr},
                          {"continuing_subword_prefix", nullptr},
                          {"end_of_word_suffix", nullptr},
                          {"fuse_unk", false},
                          {"byte_fallback", false},
                          {"vocab", vocab},
                          {"merges", nlohmann::json::array()}}}}
      .dump();
}

inline void write_text(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

inline fs::path make_tiny_model(const fs::path& folder, const std::string& fixture = "model/olmoe/plain") {
  const fs::path from = fs::path(MOESCOPE_SOURCE_DIR) / "tests/fixtures" / fixture;
  fs::create_directories(folder);
  for (const char* name : {"config.json", "model.safetensors"}) fs::copy_file(from / name, folder / name);
  write_text(folder / "tokenizer.json", tiny_tokenizer_json());
  return folder;
}

// Documents of random letters of two domains and of none, as .jsonl in the Pile's form; some are empty.
inline fs::path make_tiny_corpus(const fs::path& path, int n_documents = 40, std::uint64_t seed = 3) {
  Random random(seed);
  std::string lines;
  for (int i = 0; i < n_documents; ++i) {
    std::string text;
    const std::uint64_t length = i % 11 == 5 ? 0 : 1 + random.below(160);
    while (text.size() < length) text += random.below(6) == 0 ? ' ' : static_cast<char>('a' + random.below(26));
    nlohmann::json line = {{"text", text}};
    if (i % 3 != 0) line["meta"]["pile_set_name"] = i % 3 == 1 ? "Prose" : "Code";
    lines += line.dump() + "\n";
  }
  write_text(path, lines);
  return path;
}

}  // namespace moescope::test
