#include "moescope/io/tagged_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "moescope/io/table.h"
#include "tests/io/temporary_folder.h"

namespace moescope::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<TaggedSentence> read(TaggedReader& reader) {
  std::vector<TaggedSentence> sentences;
  while (auto sentence = reader.next()) sentences.push_back(std::move(*sentence));
  return sentences;
}

// "form/TAG" of every word, the form cut out of the text by the word's bytes.
std::vector<std::string> tagged(const TaggedSentence& sentence) {
  std::vector<std::string> all;
  for (const TaggedWord& word : sentence.words) {
    all.push_back(sentence.text.substr(static_cast<std::size_t>(word.byte_begin),
                                       static_cast<std::size_t>(word.byte_end - word.byte_begin)) +
                  "/" + word.tag);
  }
  return all;
}

TEST(TaggedText, ReadsSentencesOfATreebankByDocument) {
  const TemporaryFolder folder;
  const auto row = [](const char* number, const char* form, const char* upos) {
    return std::string(number) + "\t" + form + "\t_\t" + upos + "\t_\t_\t_\t_\t_\t_\n";
  };
  const auto reader = open_tagged_text(folder.write(
      "a.conllu", "# newdoc id = mail-1\n# text = See it\n" + row("1", "See", "VERB") + row("2", "it", "PRON") +
                      "\n# text = do n't\n" + row("1", "do", "AUX") + row("2", "n't", "PART") +
                      "\n# newdoc id = mail-2\n# text = Go\n" + row("1", "Go", "VERB") + "\n"));
  const auto sentences = read(*reader);
  ASSERT_EQ(sentences.size(), 3u);
  EXPECT_EQ(sentences[0].text, "See it");
  EXPECT_THAT(tagged(sentences[0]), ElementsAre("See/VERB", "it/PRON"));
  EXPECT_THAT(tagged(sentences[1]), ElementsAre("do/AUX", "n't/PART"));
  EXPECT_EQ(sentences[0].document_id, sentences[1].document_id);
  EXPECT_NE(sentences[0].document_id, sentences[2].document_id);
  EXPECT_EQ(sentences[0].domain, "mail");
  EXPECT_EQ(reader->counts().n_sentences, 3);
}

TEST(TaggedText, ReadsJsonLines) {
  const TemporaryFolder folder;
  const auto path = folder.write(
      "a.jsonl",
      R"({"words": ["The", "cat", "."], "tags": ["DET", "NOUN", "PUNCT"], "text": " The  cat.", "document": "d1"})"
      "\n\n"
      R"({"words": ["Ünder", "it"], "tags": ["ADP", "PRON"]})"
      "\n"
      R"({"words": ["a"], "tags": ["DET", "NOUN"]})"
      "\n"
      R"({"words": ["a", "b"], "tags": ["X", "X"], "text": "b a"})"
      "\n"
      R"({"words": ["a"], "tags": ["X"], "text": "a and more"})"
      "\n"
      R"({"words": [], "tags": []})"
      "\n");
  const auto reader = open_tagged_text(path);
  const auto sentences = read(*reader);
  ASSERT_EQ(sentences.size(), 2u);
  EXPECT_THAT(tagged(sentences[0]), ElementsAre("The/DET", "cat/NOUN", "./PUNCT"));
  EXPECT_EQ(sentences[0].words[1].byte_begin, 6);
  EXPECT_EQ(sentences[0].document_id, "d1");
  EXPECT_EQ(sentences[1].text, "Ünder it");
  EXPECT_EQ(sentences[1].document_id, "a.jsonl:3");
  EXPECT_THAT(tagged(sentences[1]), ElementsAre("Ünder/ADP", "it/PRON"));
  EXPECT_EQ(reader->counts().n_sentences, 2);
  EXPECT_EQ(reader->counts().n_unaligned, 3);
  EXPECT_EQ(reader->counts().n_empty, 1);
}

TEST(TaggedText, FieldsCanHaveOtherNames) {
  const TemporaryFolder folder;
  TaggedOptions options;
  options.words_field = "tokens";
  options.tags_field = "labels";
  const auto reader = open_tagged_text(folder.write("a.jsonl", R"({"tokens": ["a"], "labels": ["DET"]})"), options);
  EXPECT_THAT(tagged(read(*reader).at(0)), ElementsAre("a/DET"));
}

TEST(TaggedText, ReadsParquet) {
  if (!parquet_available()) GTEST_SKIP() << "built without Arrow";
  const auto reader = open_tagged_text(fixture("tagged.parquet"));
  const auto sentences = read(*reader);
  ASSERT_EQ(sentences.size(), 2u);
  EXPECT_EQ(sentences[0].text, "The cat.");
  EXPECT_THAT(tagged(sentences[0]), ElementsAre("The/DET", "cat/NOUN", "./PUNCT"));
  EXPECT_EQ(sentences[1].id, "tagged.parquet:4");
  EXPECT_THAT(tagged(sentences[1]), ElementsAre("x/X", "y/X"));
  EXPECT_EQ(reader->counts().n_unaligned, 1);
  EXPECT_EQ(reader->counts().n_empty, 1);
  TaggedOptions options;
  options.tags_field = "number";
  EXPECT_THAT(error_of([&] { open_tagged_text(fixture("tagged.parquet"), options); }),
              HasSubstr("expected a list of strings"));
  options.tags_field = "none";
  EXPECT_THAT(error_of([&] { open_tagged_text(fixture("tagged.parquet"), options); }), HasSubstr("no column"));
  EXPECT_THAT(error_of([&] { read(*open_tagged_text(fixture("reference.safetensors"))); }), HasSubstr("not a kind"));
}

TEST(TaggedText, BadInputIsNamedWithItsLine) {
  const TemporaryFolder folder;
  const auto fails = [&](const std::string& line) {
    return error_of([&] { read(*open_tagged_text(folder.write("b.jsonl", "\n" + line))); });
  };
  EXPECT_THAT(fails("{"), HasSubstr("b.jsonl, line 2"));
  EXPECT_THAT(fails("[]"), HasSubstr("expected an object"));
  EXPECT_THAT(fails(R"({"tags": []})"), HasSubstr("no field \"words\""));
  EXPECT_THAT(fails(R"({"words": "a", "tags": []})"), HasSubstr("not a list"));
  EXPECT_THAT(fails(R"({"words": ["a"], "tags": [1]})"), HasSubstr("not text"));
  EXPECT_THAT(fails(R"({"words": ["a"], "tags": ["X"], "text": 5})"), HasSubstr("not text"));
  EXPECT_THAT(error_of([] { open_tagged_text("no/such.conllu"); }), HasSubstr("no such file"));
  EXPECT_THAT(error_of([&] { open_tagged_text(folder.write("a.txt", "x")); }), HasSubstr(".conllu"));
}

TEST(TaggedText, AlignsEveryWordOfARealTreebank) {
  const auto path = shared_data("treebank/en_ewt-ud-dev.conllu");
  if (path.empty()) GTEST_SKIP() << "no treebank beside the project";
  const auto reader = open_tagged_text(path);
  std::map<std::string, std::int64_t> n;
  std::size_t n_documents = 0;
  std::string last;
  while (const auto sentence = reader->next()) {
    n_documents += sentence->document_id != last ? 1 : 0;
    last = sentence->document_id;
    for (const TaggedWord& word : sentence->words) {
      ++n[word.tag];
      ASSERT_GE(word.byte_begin, 0);
      ASSERT_LT(word.byte_begin, word.byte_end);
      ASSERT_LE(word.byte_end, static_cast<std::int64_t>(sentence->text.size()));
    }
  }
  // Counted with: grep -cP '^\d+\t' FILE, and the same by column 4.
  EXPECT_EQ(reader->counts().n_sentences, 2001);
  EXPECT_EQ(n_documents, 318u);
  EXPECT_EQ(n["NOUN"], 4210);
  EXPECT_EQ(n["PUNCT"], 3075);
  EXPECT_EQ(n["SYM"], 81);
}

}  // namespace
}  // namespace moescope::io
