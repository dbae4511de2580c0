#include "moescope/io/tagged_text.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/io/byte_source.h"
#include "moescope/io/conllu.h"
#include "moescope/io/json_values.h"
#include "moescope/io/quote.h"

namespace moescope::io {

namespace {

using nlohmann::json;

class ConlluTagged : public TaggedReader {
 public:
  explicit ConlluTagged(const std::filesystem::path& path) : name_(path.filename().string()), reader_(path) {}

  std::optional<TaggedSentence> next() override {
    while (const ConlluSentence* source = next_source()) {
      TaggedSentence sentence;
      const auto begin = static_cast<std::size_t>(source->byte_begin);
      sentence.text = document_->text.substr(begin, static_cast<std::size_t>(source->byte_end) - begin);
      if (source->words.empty() || sentence.text.empty()) {
        ++counts_.n_empty;
        continue;
      }
      sentence.id = fmt::format("{}:{}", name_, source->line);
      sentence.document_id = fmt::format("{}:{}", name_, document_->line);
      sentence.domain = document_->domain;
      for (const ConlluWord& word : source->words) {
        sentence.words.push_back({word.byte_begin - source->byte_begin, word.byte_end - source->byte_begin, word.upos});
      }
      ++counts_.n_sentences;
      return sentence;
    }
    return std::nullopt;
  }

 private:
  // Null at the end of the file.
  const ConlluSentence* next_source() {
    while (!document_ || sentence_idx_ == document_->sentences.size()) {
      document_ = reader_.next();
      counts_.n_replaced_bytes = reader_.n_replaced_bytes();
      sentence_idx_ = 0;
      if (!document_) return nullptr;
    }
    return &document_->sentences[sentence_idx_++];
  }

  std::string name_;
  ConlluReader reader_;
  std::optional<ConlluDocument> document_;
  std::size_t sentence_idx_ = 0;
};

std::vector<std::string> text_list(const json& record, const std::string& key, const char* option) {
  const auto found = record.find(key);
  if (found == record.end())
    throw input_error("no field {}", quote_name(key)).hint("name it with " + option_name(option));
  if (!found->is_array()) throw input_error("field {} is not a list", quote_name(key));
  std::vector<std::string> texts;
  for (const json& item : *found) {
    if (!item.is_string()) throw input_error("field {} holds something that is not text", quote_name(key));
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

std::optional<std::string> optional_text(const json& record, const std::string& key) {
  const auto found = record.find(key);
  if (found == record.end() || found->is_null()) return std::nullopt;
  if (!found->is_string()) throw input_error("field {} is not text", quote_name(key));
  return found->get<std::string>();
}

class JsonTagged : public TaggedReader {
 public:
  JsonTagged(const std::filesystem::path& path, const TaggedOptions& options)
      : name_(path.filename().string()), options_(options), lines_(path, options.max_sentence_bytes) {}

  std::optional<TaggedSentence> next() override {
    while (const std::optional<std::string_view> line = lines_.next()) {
      if (line->find_first_not_of(" \t\r") == std::string_view::npos) continue;
      try {
        if (std::optional<TaggedSentence> sentence = parse(std::string(*line))) return sentence;
      } catch (const Error& error) {
        throw error.at(lines_.place());
      }
    }
    return std::nullopt;
  }

 private:
  std::optional<TaggedSentence> parse(std::string line) {
    const json record = parse_foreign_json(std::move(line), counts_.n_replaced_bytes);
    if (!record.is_object()) throw input_error("expected an object, found {}", record.type_name());
    const std::vector<std::string> words = text_list(record, options_.words_field, "words-field");
    const std::vector<std::string> tags = text_list(record, options_.tags_field, "tags-field");
    if (words.empty() && tags.empty()) {
      ++counts_.n_empty;
      return std::nullopt;
    }
    std::optional<TaggedSentence> sentence = align_words(words, tags, optional_text(record, options_.text_field));
    if (!sentence) {
      ++counts_.n_unaligned;
      return std::nullopt;
    }
    sentence->id = fmt::format("{}:{}", name_, lines_.line_number());
    sentence->document_id = optional_text(record, options_.document_field).value_or(sentence->id);
    ++counts_.n_sentences;
    return sentence;
  }

  std::string name_;
  TaggedOptions options_;
  LineReader lines_;
};

}  // namespace

void TaggedOptions::describe(OptionList& list) {
  list.add("words-field", words_field, "key or column of a sentence's words", {.required = true});
  list.add("tags-field", tags_field, "key or column of their tags", {.required = true});
}

std::optional<TaggedSentence> align_words(const std::vector<std::string>& words, const std::vector<std::string>& tags,
                                          const std::optional<std::string>& text) {
  if (words.size() != tags.size()) return std::nullopt;
  TaggedSentence sentence;
  if (text) {
    sentence.text = *text;
  } else {
    for (const std::string& word : words) sentence.text += (sentence.text.empty() ? "" : " ") + word;
  }
  std::size_t from = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t begin = words[i].empty() ? std::string::npos : sentence.text.find(words[i], from);
    // Between two words stands white space or nothing: another letter belongs to a word that the tags do not know.
    if (begin == std::string::npos || sentence.text.find_first_not_of(" \t\r\n", from) < begin) return std::nullopt;
    from = begin + words[i].size();
    sentence.words.push_back({static_cast<std::int64_t>(begin), static_cast<std::int64_t>(from), tags[i]});
  }
  if (sentence.text.find_first_not_of(" \t\r\n", from) != std::string::npos) return std::nullopt;
  return sentence;
}

std::unique_ptr<TaggedReader> open_tagged_text(const std::filesystem::path& path, const TaggedOptions& options) {
  if (!std::filesystem::exists(path)) throw input_error("no such file").at(path.string());
  const std::string kind = unpacked_name(path).extension().string();
  if (kind == ".conllu") return std::make_unique<ConlluTagged>(path);
  if (kind == ".jsonl" || kind == ".ndjson") return std::make_unique<JsonTagged>(path, options);
  if (kind == ".parquet" && unpacked_name(path) == path) return open_tagged_parquet(path, options);
  throw input_error("not a kind of tagged text").at(path.string()).hint("known: .conllu, .jsonl, .ndjson, .parquet");
}

}  // namespace moescope::io
