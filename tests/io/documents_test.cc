#include "moescope/io/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/io/temporary_folder.h"

namespace moescope::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Corpus {
  std::vector<Document> documents;
  CorpusCounts counts;
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const Document& document : documents) all.push_back(document.text);
    return all;
  }
};

Corpus read(const std::filesystem::path& path, const CorpusOptions& options = {}) {
  Corpus corpus;
  const auto reader = open_corpus(path.string(), options);
  while (auto document = reader->next()) corpus.documents.push_back(std::move(*document));
  corpus.counts = reader->counts();
  return corpus;
}

std::string read_error(const std::filesystem::path& path, const CorpusOptions& options = {}) {
  return error_of([&] { read(path, options); });
}

// The documents that tests/reference/make_io_fixtures.py packs in every way.
void expect_fixture_documents(const Corpus& corpus, bool with_domain = true) {
  ASSERT_EQ(corpus.documents.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) {
    std::string text = "Text " + std::to_string(i) + ": äöü \U0001d70b\n";
    for (std::size_t k = 0; k < i; ++k) text += "lorem ipsum ";
    EXPECT_EQ(corpus.documents[i].text, text);
    EXPECT_EQ(corpus.documents[i].domain, with_domain ? std::string(1, "ABC"[i % 3]) : "");
  }
  EXPECT_EQ(corpus.counts.n_documents, 20);
  EXPECT_EQ(corpus.counts.n_files, 1);
  EXPECT_EQ(corpus.counts.n_replaced_bytes, 0);
}

TEST(Documents, ReadsAMultiMemberGzip) { expect_fixture_documents(read(fixture("two_members.jsonl.gz"))); }
TEST(Documents, ReadsSeveralZstdFrames) { expect_fixture_documents(read(fixture("two_frames.jsonl.zst"))); }
TEST(Documents, ReadsAnArrayOfObjects) { expect_fixture_documents(read(fixture("array.json.gz"))); }

#ifdef MOESCOPE_WITH_ARROW
TEST(Documents, ReadsParquetWithMetaAsStruct) { expect_fixture_documents(read(fixture("struct_meta.parquet"))); }
TEST(Documents, ReadsParquetWithMetaAsJson) { expect_fixture_documents(read(fixture("json_meta.parquet"))); }
TEST(Documents, ReadsParquetWithCodedStrings) { expect_fixture_documents(read(fixture("coded.parquet")), false); }

TEST(Documents, CountsNullsOfParquetAsEmpty) {
  const Corpus corpus = read(fixture("nulls.parquet"));
  EXPECT_THAT(corpus.texts(), ElementsAre("a", "b"));
  EXPECT_EQ(corpus.counts.n_empty, 2);
  EXPECT_EQ(corpus.documents[1].id, "nulls.parquet:4");
}

TEST(Documents, RejectsParquetWithoutTheColumn) {
  EXPECT_THAT(read_error(fixture("nulls.parquet"), {.text_field = "body"}),
              HasSubstr("no column \"body\" (columns: \"text\", \"number\")"));
  EXPECT_THAT(read_error(fixture("nulls.parquet"), {.text_field = "number"}), HasSubstr("expected string"));
  EXPECT_THAT(read_error(fixture("struct_meta.parquet"), {.text_field = "meta.absent"}), HasSubstr("meta.absent"));
  EXPECT_THAT(read_error(fixture("json_meta.parquet"), {.text_field = "meta.absent"}), HasSubstr("meta.absent"));
  EXPECT_THAT(read(fixture("json_meta.parquet"), {.text_field = "meta.pile_set_name"}).texts()[1], "B");
}

TEST(Documents, RejectsBrokenParquet) {
  const TemporaryFolder folder;
  const std::string whole = slurp(fixture("struct_meta.parquet"));
  EXPECT_THAT(read_error(folder.write("a.parquet", whole.substr(0, whole.size() / 2))), HasSubstr("a.parquet"));
  EXPECT_THAT(read_error(folder.write("b.parquet", "")), HasSubstr("b.parquet"));
  EXPECT_THAT(read_error(folder.write("c.parquet", "PAR1 is not enough PAR1")), HasSubstr("c.parquet"));
}
#endif

TEST(Documents, ReadsTextFilesWhole) {
  const TemporaryFolder folder;
  const Corpus corpus = read(folder.write("a.txt", "one\r\ntwo\n"));
  EXPECT_THAT(corpus.texts(), ElementsAre("one\r\ntwo\n"));
  EXPECT_EQ(corpus.documents[0].id, "a.txt");
  EXPECT_EQ(corpus.counts.n_bytes, 9);
}

TEST(Documents, ReadsAFolderInTheOrderOfPaths) {
  const TemporaryFolder folder;
  folder.write("b.txt", "b");
  folder.write("a/z.jsonl", "{\"text\": \"z1\"}\n{\"text\": \"z2\"}\n");
  folder.write("a/y.txt", "y");
  folder.write("picture.png", "\x89PNG");
  folder.write("empty.txt", "");
  const auto reader = open_corpus(folder.path().string());
  std::vector<std::string> ids;
  while (auto document = reader->next()) ids.push_back(document->id);
  EXPECT_THAT(ids, ElementsAre("a/y.txt", "a/z.jsonl:1", "a/z.jsonl:2", "b.txt"));
  EXPECT_EQ(reader->counts().n_other_files, 1);
  EXPECT_EQ(reader->counts().n_empty, 1);
  EXPECT_EQ(reader->counts().n_files, 4);
  EXPECT_EQ(reader->files().size(), 4u);
}

TEST(Documents, RejectsWhatIsNoCorpus) {
  const TemporaryFolder folder;
  EXPECT_THAT(read_error(folder.path() / "absent.txt"), HasSubstr("no such file"));
  EXPECT_THAT(read_error(""), HasSubstr("no such file"));
  EXPECT_THAT(read_error(folder.path()), HasSubstr("holds no text (0 files"));
  folder.write("a.exe", "x");
  EXPECT_THAT(read_error(folder.path()), HasSubstr("holds no text (1 files"));
  EXPECT_THAT(read_error(folder.path() / "a.exe"), HasSubstr("no kind of corpus"));
  EXPECT_THAT(read_error("/dev/null"), HasSubstr("neither a file nor a folder"));
}

TEST(Documents, ACorpusWithoutTextGivesNoDocuments) {
  const TemporaryFolder folder;
  const Corpus corpus = read(folder.write("a.jsonl", "\n  \n{\"text\": \"\"}\n{\"text\": null}\n"));
  EXPECT_TRUE(corpus.documents.empty());
  EXPECT_EQ(corpus.counts.n_empty, 2);
  EXPECT_TRUE(read(folder.write("b.json", "[]")).documents.empty());
  EXPECT_TRUE(read(folder.write("c.json", " \n")).documents.empty());
  EXPECT_TRUE(read(folder.write("d.jsonl", "")).documents.empty());
}

TEST(Documents, ReadsFieldsByDottedPaths) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.jsonl", R"({"doc": {"body": "inner", "x.y": {"z": "deep"}}, "kind": 3})"
                                            "\n");
  const auto with = [&](const std::string& text, const std::string& domain) {
    return read(path, {.text_field = text, .domain_field = domain}).documents.at(0);
  };
  EXPECT_EQ(with("doc.body", "kind").text, "inner");
  EXPECT_EQ(with("doc.body", "kind").domain, "3");
  EXPECT_EQ(with("doc.x.y.z", "doc").text, "deep");
  EXPECT_EQ(with("doc.x.y.z", "doc").domain, "");
}

TEST(Documents, NamesFileAndLineOfBadRecords) {
  const TemporaryFolder folder;
  const auto bad = [&](const std::string& second_line) {
    const auto path = folder.write("a.jsonl", "{\"text\": \"fine\"}\n" + second_line + "\n");
    const std::string message = read_error(path);
    EXPECT_THAT(message, HasSubstr("a.jsonl, line 2: "));
    return message;
  };
  EXPECT_THAT(bad("{\"text\": \"a\""), HasSubstr("not JSON"));
  EXPECT_THAT(bad("plain words"), HasSubstr("not JSON"));
  EXPECT_THAT(bad("{\"text\": \"a\"} {}"), HasSubstr("not JSON"));
  EXPECT_THAT(bad("[1]"), HasSubstr("expected an object, found array"));
  EXPECT_THAT(bad("{\"body\": 1, \"id\": 2}"), HasSubstr("no field \"text\" (keys: \"body\", \"id\")"));
  EXPECT_THAT(bad("{}"), HasSubstr("keys: none"));
  EXPECT_THAT(bad("{\"text\": 5}"), HasSubstr("is a number, expected a string"));
  EXPECT_THAT(bad(std::string(1'000'000, '[')), HasSubstr("not JSON"));
}

TEST(Documents, ReadsObjectsBehindEachOtherInJson) {
  const TemporaryFolder folder;
  EXPECT_THAT(read(folder.write("a.json", "{\"text\":\n \"a\"}\n{\"text\": \"}b]\\\"\"}{\"text\":\"c\"}")).texts(),
              ElementsAre("a", "}b]\"", "c"));
  EXPECT_THAT(
      read(folder.write("b.json", "\xEF\xBB\xBF [ {\"text\": \"a\"} , {\"text\": \"b\", \"x\": [[]]} ] ")).texts(),
      ElementsAre("a", "b"));
  const Corpus lines = read(folder.write("c.json", "\n\n{\"text\": \"a\"}\n\n{\"text\": \"b\"}"));
  EXPECT_EQ(lines.documents[0].id, "c.json:3");
  EXPECT_EQ(lines.documents[1].id, "c.json:5");
}

TEST(Documents, RejectsBrokenJson) {
  const TemporaryFolder folder;
  const auto bad = [&](const std::string& text) { return read_error(folder.write("a.json", text)); };
  EXPECT_THAT(bad("[{\"text\": \"a\"},\n"), HasSubstr("line 2: the array does not end"));
  EXPECT_THAT(bad("[{\"text\": \"a\"}\n"), HasSubstr("the array does not end"));
  EXPECT_THAT(bad("["), HasSubstr("the array does not end"));
  EXPECT_THAT(bad("\n{\"text\": \"a"), HasSubstr("line 2: a value does not end"));
  EXPECT_THAT(bad("[{\"text\": \"a\"} {\"text\": \"b\"}]"), HasSubstr("expected , or ]"));
  EXPECT_THAT(bad("[{\"text\": \"a\"}] 1"), HasSubstr("behind the array"));
  EXPECT_THAT(bad("[,]"), HasSubstr("not JSON"));
  EXPECT_THAT(bad("[{\"text\": \"a\"},]"), HasSubstr("not JSON"));
  EXPECT_THAT(bad("}"), HasSubstr("not JSON"));
  EXPECT_THAT(bad("1 2"), HasSubstr("expected an object, found number"));
  EXPECT_THAT(bad("{\"data\": [{\"text\": \"a\"}]}"), HasSubstr("no field \"text\" (keys: \"data\")"));
}

TEST(Documents, ReplacesAndCountsBrokenUtf8) {
  const TemporaryFolder folder;
  const Corpus text = read(folder.write("a.txt", "a\xFF\xC3(\xE2\x82z\xED\xA0\x80"));
  EXPECT_THAT(text.texts(), ElementsAre("a\uFFFD\uFFFD(\uFFFDz\uFFFD\uFFFD\uFFFD"));
  EXPECT_EQ(text.counts.n_replaced_bytes, 7);
  const Corpus json = read(folder.write("b.jsonl", "{\"text\": \"a\xFF\"}\n"));
  EXPECT_THAT(json.texts(), ElementsAre("a\uFFFD"));
  EXPECT_EQ(json.counts.n_replaced_bytes, 1);
}

TEST(Documents, ReplacesHalvesOfSurrogatePairs) {
  const TemporaryFolder folder;
  const Corpus corpus =
      read(folder.write("a.jsonl", R"({"text": "a\ud83db\ude00 \ud83d\ude00 \\ud83d \ud83d\ud83d\ude00"})"));
  EXPECT_THAT(corpus.texts(), ElementsAre("a\uFFFDb\uFFFD \U0001F600 \\ud83d \uFFFD\U0001F600"));
  EXPECT_EQ(corpus.counts.n_replaced_bytes, 9);
}

TEST(Documents, RejectsBrokenCompression) {
  const TemporaryFolder folder;
  for (const char* name : {"two_members.jsonl.gz", "two_frames.jsonl.zst"}) {
    const std::string whole = slurp(fixture(name));
    const std::string extension = std::filesystem::path(name).extension().string();
    for (std::size_t size = 0; size < whole.size(); size += 11) {
      const auto path = folder.write("a.jsonl" + extension, std::string_view(whole).substr(0, size));
      // A cut at a member's end is a shorter file; here the first member's end is the only one.
      try {
        EXPECT_EQ(read(path).documents.size(), 7u) << name << " cut at " << size;
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("a.jsonl" + extension));
      }
    }
    EXPECT_THAT(read_error(folder.write("b.jsonl" + extension, "plain text, not packed")), HasSubstr("data: "));
    EXPECT_THAT(read_error(folder.write("c.jsonl" + extension, whole + "garbage")), HasSubstr("c.jsonl"));
    std::string flipped = whole;
    flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 0x55);
    EXPECT_THAT(read_error(folder.write("d.jsonl" + extension, flipped)), HasSubstr("d.jsonl"));
  }
  // Padding with zeros is allowed behind gzip.
  expect_fixture_documents(
      read(folder.write("e.jsonl.gz", slurp(fixture("two_members.jsonl.gz")) + std::string(512, '\0'))));
}

TEST(Documents, TakesADocumentOf100Megabytes) {
  const TemporaryFolder folder;
  std::string text;
  while (text.size() < 100'000'000) text += "The quick brown fox jumps over the lazy dog. ";
  const Corpus corpus = read(folder.write("a.jsonl", "{\"text\": \"" + text + "\"}\n{\"text\": \"small\"}\n"));
  ASSERT_EQ(corpus.documents.size(), 2u);
  EXPECT_TRUE(corpus.documents[0].text == text);
}

TEST(Documents, RejectsADocumentOverTheLimitByName) {
  const TemporaryFolder folder;
  const CorpusOptions limit{.max_document_bytes = 10};
  EXPECT_EQ(read(folder.write("a.txt", "0123456789"), limit).documents.size(), 1u);
  EXPECT_THAT(read_error(folder.write("a.txt", "0123456789x"), limit), HasSubstr("a.txt"));
  EXPECT_THAT(read_error(folder.write("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"0123456789x\"}"), limit),
              HasSubstr("line 2: document a.jsonl:2: a document of 11 bytes is over the limit of 10"));
  EXPECT_THAT(read_error(folder.write("b.jsonl", std::string(7'000'000, ' ')), limit), HasSubstr("line 1"));
  EXPECT_THAT(read_error(folder.write("b.json", "{\"" + std::string(7'000'000, ' ')), limit), HasSubstr("line 1"));
#ifdef MOESCOPE_WITH_ARROW
  EXPECT_THAT(read_error(fixture("json_meta.parquet"), limit), HasSubstr("json_meta.parquet:1"));
#endif
}

TEST(Documents, ReadsThePileFormOfTheTestData) {
  const auto path = shared_data("corpus/mixed.jsonl.zst");
  if (path.empty()) GTEST_SKIP() << "the test data beside the project are absent";
  const Corpus corpus = read(path);
  std::map<std::string, int> n_by_domain;
  for (const Document& document : corpus.documents) ++n_by_domain[document.domain];
  EXPECT_EQ(n_by_domain, (std::map<std::string, int>{{"ArXiv", 498}, {"Gutenberg (PG-19)", 223}, {"Github", 211}}));
  EXPECT_EQ(corpus.counts.n_empty, 0);
  EXPECT_EQ(corpus.counts.n_replaced_bytes, 0);
}

}  // namespace
}  // namespace moescope::io
