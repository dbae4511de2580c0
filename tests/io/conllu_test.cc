#include "moescope/io/conllu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "moescope/io/documents.h"
#include "tests/io/temporary_folder.h"

namespace moescope::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string word(const std::string& number, const std::string& form, const std::string& upos,
                 const std::string& misc = "_") {
  return number + "\t" + form + "\t_\t" + upos + "\t_\t_\t_\t_\t_\t" + misc + "\n";
}

std::vector<ConlluDocument> read(const std::filesystem::path& path) {
  ConlluReader reader(path);
  std::vector<ConlluDocument> documents;
  while (auto document = reader.next()) documents.push_back(std::move(*document));
  return documents;
}

// "form/UPOS" of every word, the form cut out of the text by the word's bytes.
std::vector<std::string> tags(const ConlluDocument& document) {
  std::vector<std::string> all;
  for (const ConlluSentence& sentence : document.sentences) {
    for (const ConlluWord& w : sentence.words) {
      all.push_back(document.text.substr(static_cast<std::size_t>(w.byte_begin),
                                         static_cast<std::size_t>(w.byte_end - w.byte_begin)) +
                    "/" + w.upos);
    }
  }
  return all;
}

TEST(Conllu, JoinsSentencesIntoDocuments) {
  const TemporaryFolder folder;
  const auto documents = read(folder.write(
      "a.conllu", "# newdoc id = weblog-one\n# sent_id = s1\n# text = Ünder it.\n" + word("1", "Ünder", "ADP") +
                      word("2", "it", "PRON", "SpaceAfter=No") + word("3", ".", "PUNCT") + "\n# text = No\n" +
                      word("1", "No", "INTJ", "Lang=x|SpaceAfter=No") + "\n# text = !\n" + word("1", "!", "PUNCT") +
                      "\n# newpar\n# text = Next\n" + word("1", "Next", "ADJ") +
                      "\n# newdoc\n# source = mail\n# text = Two\n" + word("1", "Two", "NUM")));
  ASSERT_EQ(documents.size(), 2u);
  EXPECT_EQ(documents[0].text, "Ünder it. No!\n\nNext");
  EXPECT_EQ(documents[0].id, "weblog-one");
  EXPECT_EQ(documents[0].domain, "weblog");
  EXPECT_EQ(documents[0].sentences.at(0).id, "s1");
  EXPECT_EQ(documents[0].sentences.at(3).byte_begin, 16);
  EXPECT_EQ(documents[0].sentences.at(3).byte_end, 20);
  EXPECT_THAT(tags(documents[0]), ElementsAre("Ünder/ADP", "it/PRON", "./PUNCT", "No/INTJ", "!/PUNCT", "Next/ADJ"));
  EXPECT_EQ(documents[1].text, "Two");
  EXPECT_EQ(documents[1].domain, "mail");
  EXPECT_EQ(documents[1].line, 18);
}

TEST(Conllu, WordsOfAMultiwordTokenShareItsBytes) {
  const TemporaryFolder folder;
  const auto documents = read(folder.write("a.conllu", "# text = We don't.\n" + word("1", "We", "PRON") +
                                                           word("2-3", "don't", "_", "SpaceAfter=No") +
                                                           word("2", "do", "AUX") + word("3", "not", "PART") +
                                                           word("3.1", "go", "VERB") + word("4", ".", "PUNCT")));
  ASSERT_EQ(documents.size(), 1u);
  EXPECT_THAT(tags(documents[0]), ElementsAre("We/PRON", "don't/AUX", "don't/PART", "./PUNCT"));
  const ConlluSentence& sentence = documents[0].sentences.at(0);
  EXPECT_EQ(sentence.n_empty_nodes, 1);
  EXPECT_EQ(sentence.words[2].form, "not");
  EXPECT_TRUE(sentence.words[2].in_multiword);
  EXPECT_FALSE(sentence.words[3].in_multiword);
}

TEST(Conllu, BuildsTheTextWhereNoneIsGiven) {
  const TemporaryFolder folder;
  const auto documents =
      read(folder.write("a.conllu", word("1", "So", "ADV") + word("2", "what", "PRON", "SpaceAfter=No") +
                                        word("3", "?", "PUNCT") + "\n" + word("1", "Yes", "INTJ")));
  ASSERT_EQ(documents.size(), 1u);
  EXPECT_EQ(documents[0].text, "So what? Yes");
  EXPECT_THAT(tags(documents[0]), ElementsAre("So/ADV", "what/PRON", "?/PUNCT", "Yes/INTJ"));
}

TEST(Conllu, RejectsBrokenFilesByLine) {
  const TemporaryFolder folder;
  const auto bad = [&](const std::string& text) { return error_of([&] { read(folder.write("a.conllu", text)); }); };
  EXPECT_THAT(bad("# x\n1\ta\tb\n"), HasSubstr("a.conllu, line 2: a word needs 10 columns"));
  EXPECT_THAT(bad(word("1", "a", "X").substr(0, 14) + "\t\t\t\t\t\t\t\t\t\n"), HasSubstr("over 10"));
  EXPECT_THAT(bad(word("2", "a", "X")), HasSubstr("line 1: word number \"2\" where 1"));
  EXPECT_THAT(bad(word("1", "a", "X") + word("1", "a", "X")), HasSubstr("line 2"));
  EXPECT_THAT(bad(word("x", "a", "X")), HasSubstr("word number \"x\""));
  EXPECT_THAT(bad(word("1-", "a", "X")), HasSubstr("word number"));
  EXPECT_THAT(bad(word("99999999999999999999", "a", "X")), HasSubstr("word number"));
  EXPECT_THAT(bad(word("2-3", "a", "X")), HasSubstr("word number"));
  EXPECT_THAT(bad(word("1-2", "ab", "_") + word("1", "a", "X")), HasSubstr("line 1: the words of the multiword token"));
  EXPECT_THAT(bad(word("1-2", "ab", "_") + word("1-2", "ab", "_")), HasSubstr("line 2: word number"));
  EXPECT_THAT(bad(word("1", "", "X")), HasSubstr("without a form"));
  EXPECT_THAT(bad("# text = a c\n" + word("1", "a", "X") + word("2", "b", "X")),
              HasSubstr("line 3: the form \"b\" does not stand in `# text`"));
  EXPECT_THAT(bad("1\ta\t_\tX\t_\t_\troot\t_\t_\t_\n"), HasSubstr("head \"root\""));
}

TEST(Conllu, CommentsAloneAreNoDocument) {
  const TemporaryFolder folder;
  EXPECT_TRUE(read(folder.write("a.conllu", "")).empty());
  EXPECT_TRUE(read(folder.write("a.conllu", "# newdoc\n# text = a\n\n\n")).empty());
}

TEST(Conllu, FindsEveryWordOfTheTestTreebankInItsText) {
  const auto path = shared_data("treebank/en_ewt-ud-dev.conllu");
  if (path.empty()) GTEST_SKIP() << "the test data beside the project are absent";
  const auto documents = read(path);
  std::size_t n_sentences = 0, n_words = 0, n_multiword = 0, n_wrong = 0;
  for (const ConlluDocument& document : documents) {
    EXPECT_FALSE(document.domain.empty()) << document.id;
    n_sentences += document.sentences.size();
    for (const ConlluSentence& sentence : document.sentences) {
      for (const ConlluWord& w : sentence.words) {
        ++n_words;
        n_multiword += w.in_multiword ? 1 : 0;
        const auto surface = document.text.substr(static_cast<std::size_t>(w.byte_begin),
                                                  static_cast<std::size_t>(w.byte_end - w.byte_begin));
        n_wrong += !w.in_multiword && surface != w.form ? 1 : 0;
      }
    }
  }
  // Counted with: grep -c '^# newdoc', grep -c '^# text =', grep -cP '^\d+\t', and the ranges of grep -P '^\d+-\d+\t'.
  EXPECT_EQ(documents.size(), 318u);
  EXPECT_EQ(n_sentences, 2001u);
  EXPECT_EQ(n_words, 25147u);
  EXPECT_EQ(n_multiword, 719u);
  EXPECT_EQ(n_wrong, 0u);
  const auto reader = open_corpus(path.string());
  std::size_t n = 0;
  while (const auto document = reader->next()) EXPECT_EQ(document->text, documents.at(n++).text);
  EXPECT_EQ(n, documents.size());
}

}  // namespace
}  // namespace moescope::io
