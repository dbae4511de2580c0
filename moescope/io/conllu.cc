#include "moescope/io/conllu.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "moescope/base/error.h"
#include "moescope/io/document_source.h"
#include "moescope/io/quote.h"
#include "moescope/io/utf8.h"

namespace moescope::io {
namespace {

constexpr int kNColumns = 10;
constexpr int kMaxWords = 1'000'000;  // in a sentence

// One run of characters on the surface: a word, or a multiword token with several words.
struct Surface {
  std::string form;
  bool space_after = true;
  int first_word = 0, last_word = 0;  // numbers from 1
  std::int64_t line = 0;
};

// A whole number of the text, or nothing.
std::optional<int> to_int(std::string_view text) {
  int value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool has_feature(std::string_view misc, std::string_view feature) {
  while (!misc.empty()) {
    const std::size_t bar = misc.find('|');
    if (misc.substr(0, bar) == feature) return true;
    misc.remove_prefix(bar == std::string_view::npos ? misc.size() : bar + 1);
  }
  return false;
}

// Bytes of the white space at the start of `text`: ASCII, no-break, ideographic and the other spaces of Unicode.
std::size_t space_bytes(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size()) {
    const std::string_view rest = text.substr(n);
    if (rest[0] == ' ' || (rest[0] >= '\t' && rest[0] <= '\r')) {
      n += 1;
    } else if (rest.starts_with("\xC2\xA0")) {
      n += 2;
    } else if (rest.starts_with("\xE3\x80\x80") || rest.starts_with("\xE2\x80\xAF") ||
               (rest.starts_with("\xE2\x80") && rest.size() > 2 && static_cast<unsigned char>(rest[2]) <= 0x8B &&
                static_cast<unsigned char>(rest[2]) >= 0x80)) {
      n += 3;
    } else {
      break;
    }
  }
  return n;
}

std::string genre_of(const std::string& id) {
  const std::size_t hyphen = id.find('-');
  if (hyphen == std::string::npos || hyphen == 0) return "";
  const std::string prefix = id.substr(0, hyphen);
  const bool letters = std::all_of(prefix.begin(), prefix.end(),
                                   [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  return letters ? prefix : "";
}

}  // namespace

struct ConlluReader::RawSentence {
  bool new_document = false, new_paragraph = false;
  std::string document_id, domain, id;
  std::optional<std::string> text;
  std::int64_t begin_line = 0, line = 0;  // of its first line, of its first word
  std::vector<ConlluWord> words;
  std::vector<Surface> surfaces;
  int n_empty_nodes = 0;
};

ConlluReader::ConlluReader(const std::filesystem::path& path, std::int64_t max_document_bytes)
    : path_(path), lines_(path, max_document_bytes), max_document_bytes_(max_document_bytes) {}

ConlluReader::~ConlluReader() = default;
ConlluReader::ConlluReader(ConlluReader&&) noexcept = default;
ConlluReader& ConlluReader::operator=(ConlluReader&&) noexcept = default;

void ConlluReader::read_comment(std::string_view line, RawSentence& sentence) {
  line = trim(line.substr(1));
  const std::size_t equals = line.find('=');
  const std::string_view key = trim(line.substr(0, equals));
  const std::string value(equals == std::string_view::npos ? "" : trim(line.substr(equals + 1)));
  if (key == "newdoc" || key == "newdoc id") {
    sentence.new_document = true;
    sentence.document_id = value;
  } else if (key == "newpar" || key == "newpar id") {
    sentence.new_paragraph = true;
  } else if (key == "sent_id") {
    sentence.id = value;
  } else if (key == "text") {
    sentence.text = value;
  } else if (key == "genre" || key == "meta::genre" || key == "source") {
    sentence.domain = value;
  }
}

void ConlluReader::read_token(std::string_view line, RawSentence& sentence) {
  std::array<std::string_view, kNColumns> column;
  int n_columns = 0;
  for (std::string_view rest = line; n_columns <= kNColumns;) {
    const std::size_t tab = rest.find('\t');
    if (n_columns < kNColumns) column[static_cast<std::size_t>(n_columns)] = rest.substr(0, tab);
    ++n_columns;
    if (tab == std::string_view::npos) break;
    rest.remove_prefix(tab + 1);
  }
  if (n_columns != kNColumns) {
    throw input_error("a word needs {} columns with tabs between them, found {}{}", kNColumns,
                      n_columns > kNColumns ? "over " : "", std::min(n_columns, kNColumns))
        .at(lines_.place());
  }
  const std::string_view number = column[0];
  const auto wrong_number = [&] {
    return input_error("word number {} where {} or a range from it was expected", quote_name(number),
                       sentence.words.size() + 1)
        .at(lines_.place());
  };
  if (const std::size_t dot = number.find('.'); dot != std::string_view::npos) {  // an empty node
    if (!to_int(number.substr(0, dot)) || !to_int(number.substr(dot + 1))) throw wrong_number();
    ++sentence.n_empty_nodes;
    return;
  }
  if (column[1].empty()) throw input_error("a word without a form").at(lines_.place());
  if (sentence.words.size() >= kMaxWords) throw input_error("more than {} words", kMaxWords).at(lines_.place());
  const int next = static_cast<int>(sentence.words.size()) + 1;
  const bool inside = !sentence.surfaces.empty() && sentence.surfaces.back().last_word >= next;
  Surface surface{std::string(column[1]), !has_feature(column[9], "SpaceAfter=No"), next, next, lines_.line_number()};
  if (const std::size_t hyphen = number.find('-'); hyphen != std::string_view::npos) {  // a multiword token
    const auto first = to_int(number.substr(0, hyphen)), last = to_int(number.substr(hyphen + 1));
    if (!first || !last || *first != next || *last < *first || inside) throw wrong_number();
    surface.last_word = *last;
    sentence.surfaces.push_back(std::move(surface));
    return;
  }
  if (to_int(number) != next) throw wrong_number();
  ConlluWord word;
  word.form = column[1];
  word.lemma = column[2];
  word.upos = column[3];
  word.xpos = column[4];
  word.feats = column[5];
  word.deprel = column[7];
  word.in_multiword = inside;
  if (column[6] != "_") {
    const auto head = to_int(column[6]);
    if (!head) throw input_error("head {} is not a number", quote_name(column[6])).at(lines_.place());
    word.head = *head;
  }
  if (sentence.words.empty()) sentence.line = lines_.line_number();
  if (!inside) sentence.surfaces.push_back(std::move(surface));
  sentence.words.push_back(std::move(word));
}

// The next sentence; false at the end of the file. Comments without words behind them belong to nothing.
bool ConlluReader::read_sentence(RawSentence& sentence) {
  std::int64_t n_bytes = 0;
  while (const auto raw = lines_.next()) {
    const std::string line = repair_utf8(std::string(*raw), n_replaced_bytes_);
    n_bytes += static_cast<std::int64_t>(line.size());
    // A word's columns say its text several times over; this bound only keeps a file without blank lines finite.
    if (n_bytes / 64 > max_document_bytes_) throw input_error("a sentence without end").at(lines_.place());
    if (sentence.begin_line == 0 && !line.empty()) sentence.begin_line = lines_.line_number();
    if (line.empty()) {
      if (!sentence.words.empty() || !sentence.surfaces.empty()) break;
    } else if (line[0] == '#') {
      read_comment(line, sentence);
    } else {
      read_token(line, sentence);
    }
  }
  if (!sentence.surfaces.empty() && sentence.surfaces.back().last_word > static_cast<int>(sentence.words.size())) {
    throw input_error("the words of the multiword token {} are missing", quote_name(sentence.surfaces.back().form))
        .at(fmt::format("{}, line {}", path_.string(), sentence.surfaces.back().line));
  }
  return !sentence.words.empty();
}

// Puts a sentence behind the text of its document and finds the bytes of its words there.
void ConlluReader::add(RawSentence&& raw, ConlluDocument& document) const {
  std::string text;
  if (raw.text) {
    text = *raw.text;
  } else {
    for (const Surface& surface : raw.surfaces) text += surface.form + (surface.space_after ? " " : "");
    if (text.ends_with(' ')) text.pop_back();
  }
  if (raw.new_paragraph && !document.sentences.empty()) {
    while (document.text.ends_with(' ')) document.text.pop_back();
    document.text += "\n\n";
  }
  ConlluSentence sentence{
      std::move(raw.id), static_cast<std::int64_t>(document.text.size()), 0, raw.line, std::move(raw.words),
      raw.n_empty_nodes};
  std::size_t cursor = 0;
  for (const Surface& surface : raw.surfaces) {
    cursor += space_bytes(std::string_view(text).substr(cursor));
    if (!std::string_view(text).substr(cursor).starts_with(surface.form)) {
      throw input_error("the form {} does not stand in `# text` where it should ({})", quote_name(surface.form),
                        quote_name(std::string_view(text).substr(cursor, 30)))
          .at(fmt::format("{}, line {}", path_.string(), surface.line));
    }
    for (int number = surface.first_word; number <= surface.last_word; ++number) {
      ConlluWord& word = sentence.words[static_cast<std::size_t>(number - 1)];
      word.byte_begin = sentence.byte_begin + static_cast<std::int64_t>(cursor);
      word.byte_end = word.byte_begin + static_cast<std::int64_t>(surface.form.size());
    }
    cursor += surface.form.size();
  }
  document.text += text;
  sentence.byte_end = static_cast<std::int64_t>(document.text.size());
  if (raw.surfaces.back().space_after) document.text += ' ';
  check_document_size(document.text.size(), CorpusOptions{.max_document_bytes = max_document_bytes_},
                      fmt::format("{}, line {}", path_.string(), document.line));
  document.sentences.push_back(std::move(sentence));
}

std::optional<ConlluDocument> ConlluReader::next() {
  if (!ahead_) {
    ahead_ = std::make_unique<RawSentence>();
    if (!read_sentence(*ahead_)) {
      ahead_.reset();
      return std::nullopt;
    }
  }
  ConlluDocument document;
  document.id = ahead_->document_id;
  document.domain = ahead_->domain.empty() ? genre_of(document.id) : ahead_->domain;
  document.line = ahead_->begin_line;
  do {
    add(std::move(*ahead_), document);
    ahead_ = std::make_unique<RawSentence>();
    if (!read_sentence(*ahead_)) {
      ahead_.reset();
      break;
    }
  } while (!ahead_->new_document);
  while (document.text.ends_with(' ')) document.text.pop_back();
  return document;
}

namespace {

class ConlluSource : public DocumentSource {
 public:
  explicit ConlluSource(const SourceContext& context)
      : context_(context), reader_(context.path, context.options->max_document_bytes) {}

  std::optional<Document> next() override {
    const std::int64_t before = reader_.n_replaced_bytes();
    std::optional<ConlluDocument> document = reader_.next();
    context_.counts->n_replaced_bytes += reader_.n_replaced_bytes() - before;
    if (!document) return std::nullopt;
    return Document{fmt::format("{}:{}", context_.id, document->line), std::move(document->text),
                    std::move(document->domain)};
  }

 private:
  SourceContext context_;
  ConlluReader reader_;
};

}  // namespace

std::unique_ptr<DocumentSource> open_conllu_source(const SourceContext& context) {
  return std::make_unique<ConlluSource>(context);
}

}  // namespace moescope::io
