// One side of tokenizer_bench.py: encodes every document of a corpus with one tokenizer, on one thread, as often as it
// is asked to. Prints one JSON line: first {"documents", "bytes", "tokens", "hashes"} (of ids and offsets, to check the
// result before timing), then {"cpu_s", "wall_s"} for each line that it reads.
//   tokenizer_bench TOKENIZER.json CORPUS
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "moescope/io/documents.h"
#include "moescope/text/tokenizer.h"

namespace {

// FNV-1a over 64-bit words: ids, and where each token begins and ends.
std::uint64_t hash_of(const moescope::text::EncodedText& encoding) {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  const auto add = [&hash](std::int64_t word) { hash = (hash ^ static_cast<std::uint64_t>(word)) * 0x100000001B3ull; };
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    add(encoding.ids[i]);
    add(encoding.characters[i].begin);
    add(encoding.characters[i].end);
  }
  return hash;
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void run(const std::string& tokenizer_json, const std::string& corpus) {
  const auto tokenizer = moescope::text::Tokenizer::load(tokenizer_json);
  std::vector<std::string> texts;
  const auto reader = moescope::io::open_corpus(corpus);
  while (auto document = reader->next()) texts.push_back(std::move(document->text));
  std::size_t n_bytes = 0, n_tokens = 0;
  std::vector<std::string> hashes;
  for (const std::string& text : texts) {
    const auto encoding = tokenizer.encode(text);
    n_bytes += text.size();
    n_tokens += encoding.ids.size();
    hashes.push_back(fmt::format("\"{:016x}\"", hash_of(encoding)));
  }
  fmt::print("{{\"documents\":{},\"bytes\":{},\"tokens\":{},\"hashes\":[{}]}}\n", texts.size(), n_bytes, n_tokens,
             fmt::join(hashes, ","));
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    const double cpu = cpu_seconds(), wall = wall_seconds();
    std::size_t n = 0;
    for (const std::string& text : texts) n += tokenizer.encode(text).ids.size();
    if (n != n_tokens) throw std::runtime_error("another number of tokens");
    fmt::print("{{\"cpu_s\":{},\"wall_s\":{}}}\n", cpu_seconds() - cpu, wall_seconds() - wall);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int n_arguments, char** arguments) {
  if (n_arguments != 3) {
    fmt::print(stderr, "usage: tokenizer_bench TOKENIZER.json CORPUS\n");
    return 2;
  }
  try {
    run(arguments[1], arguments[2]);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "tokenizer_bench: {}\n", error.what());
    return 1;
  }
}
