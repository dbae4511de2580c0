// What the fuzzers of the readers do with one input: read it by every way that leads into the room, let Errors pass
// (they are the right answer to bad input) and abort on anything else: another exception, text that is not UTF-8, a
// view that leaves its file. tests/io/fuzz_test.cc runs the same functions over mutated fixtures in the default tests.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "moescope/base/error.h"
#include "moescope/io/conllu.h"
#include "moescope/io/document_source.h"
#include "moescope/io/safetensors.h"
#include "moescope/io/safetensors_header.h"
#include "moescope/io/table.h"
#include "moescope/io/tagged_text.h"
#include "moescope/io/utf8.h"

namespace moescope::io::fuzz {

inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

// Bytes in memory that readers can open by a name of any ending. One a thread.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("moescope-fuzz", 0)) {
    std::string folder = (std::filesystem::temp_directory_path() / "moescope-fuzz-XXXXXX").string();
    if (descriptor_ < 0 || ::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no file in memory");
    folder_ = folder;
  }
  ~MemoryFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    ::close(descriptor_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path hold(std::string_view bytes, const std::string& name) const {
    const bool held = ::ftruncate(descriptor_, 0) == 0 &&
                      ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
    if (!held) throw std::runtime_error("cannot fill the file in memory");
    const std::filesystem::path path = folder_ / name;
    if (!std::filesystem::is_symlink(path)) {
      std::filesystem::create_symlink("/proc/self/fd/" + std::to_string(descriptor_), path);
    }
    return path;
  }

 private:
  int descriptor_ = -1;
  std::filesystem::path folder_;
};

inline std::filesystem::path in_memory(std::string_view bytes, const std::string& name) {
  static const MemoryFile file;
  return file.hold(bytes, name);
}

// Runs one reading; an Error must be one line of text.
template <typename Action>
void expect_result_or_error(Action action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string_view line = error.what();
    require(line.find('\n') == std::string_view::npos, "an error of several lines");
    require(is_utf8(line), "an error that is not UTF-8");
  }
}

inline void read_corpus(std::string_view bytes, const std::string& name) {
  expect_result_or_error([&] {
    const auto reader = open_corpus(in_memory(bytes, name).string(), {.max_document_bytes = 1 << 22});
    while (const auto document = reader->next()) {
      require(is_utf8(document->text) && !document->text.empty(), "a document without text of UTF-8");
      require(is_utf8(document->domain), "a domain that is not UTF-8");
    }
  });
}

inline void safetensors(std::string_view bytes) {
  expect_result_or_error(
      [&] { parse_safetensors_header(bytes, bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0])); });
  expect_result_or_error([&] {
    const auto file = SafetensorsFile::open(in_memory(bytes, "m.safetensors"));
    std::size_t n_bytes = 0;
    for (const auto& [name, tensor] : file.tensors()) {
      const auto all = tensor.file->bytes();
      require(tensor.bytes.empty() || (tensor.bytes.data() >= all.data() &&
                                       tensor.bytes.data() + tensor.bytes.size() <= all.data() + all.size()),
              "a tensor outside its file");
      require(tensor_bytes(tensor.dtype, tensor.shape) == tensor.bytes.size(), "a tensor of a wrong size");
      n_bytes += tensor.bytes.size();
    }
    require(n_bytes < std::max<std::size_t>(bytes.size(), 1), "tensors that overlap");
  });
}

inline void json_lines(std::string_view bytes) { read_corpus(bytes, "a.jsonl"); }
inline void json(std::string_view bytes) { read_corpus(bytes, "a.json"); }
inline void text(std::string_view bytes) { read_corpus(bytes, "a.txt"); }
inline void parquet(std::string_view bytes) { read_corpus(bytes, "a.parquet"); }

inline void compressed(std::string_view bytes) {
  read_corpus(bytes, "a.jsonl.gz");
  read_corpus(bytes, "a.jsonl.zst");
}

inline void conllu(std::string_view bytes) {
  expect_result_or_error([&] {
    ConlluReader reader(in_memory(bytes, "a.conllu"));
    while (const auto document = reader.next()) {
      const auto size = static_cast<std::int64_t>(document->text.size());
      require(is_utf8(document->text), "a text that is not UTF-8");
      for (const ConlluSentence& sentence : document->sentences) {
        for (const ConlluWord& word : sentence.words) {
          require(0 <= word.byte_begin && word.byte_begin < word.byte_end && word.byte_end <= size,
                  "a word outside its text");
        }
      }
    }
  });
}

inline void tagged(std::string_view bytes) {
  expect_result_or_error([&] {
    const auto reader = open_tagged_text(in_memory(bytes, "a.jsonl"));
    while (const auto sentence = reader->next()) {
      require(is_utf8(sentence->text) && !sentence->text.empty(), "a text that is empty or not UTF-8");
      std::int64_t end = 0;
      for (const TaggedWord& word : sentence->words) {
        require(end <= word.byte_begin && word.byte_begin < word.byte_end, "words that overlap");
        end = word.byte_end;
      }
      require(end <= static_cast<std::int64_t>(sentence->text.size()), "a word outside its text");
    }
  });
}

inline void csv(std::string_view bytes) {
  const Table like{{{"a", IntColumn{}}, {"b", RealColumn{}}, {"c", TextColumn{}}, {"d", IntListColumn{}}}};
  expect_result_or_error([&] {
    const Table table = read_csv(in_memory(bytes, "a.csv"), like);
    for (const Column& column : table.columns) {
      std::visit([&](const auto& values) { require(values.size() == table.n_rows(), "ragged columns"); },
                 column.values);
    }
  });
}

}  // namespace moescope::io::fuzz
