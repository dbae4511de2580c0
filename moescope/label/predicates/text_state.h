// What a reader knows about the place where the next token will stand, from the text before it alone.
//
// Goals: one pass, character by character, so that a feature of token t never depends on text behind t's beginning
// ("inside math" is true after an opening '$' even if it is never closed). Heuristic where a grammar would be needed:
// whether the text is code, LaTeX or prose is told from marks seen so far, and decides what '#', '%', '$' and quotes
// mean. Non-goals: parsing a language; the full-text regular expressions of text/concepts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moescope::label {

enum class TextKind : std::uint8_t { kProse, kCode, kLatex };

// A snapshot, valid for the character that comes next. Strings are lower-case words or names as written.
struct Place {
  TextKind kind = TextKind::kProse;
  bool text_start = true;        // nothing but white space so far
  bool line_known = true;        // false until the first newline where the text began inside a line
  bool line_blank = true;        // only white space so far in this line
  int indent = 0;                // columns of white space that began this line (tab = 8); valid if line_known
  int line_length = 0;           // characters so far in this line
  bool after_blank_line = true;  // the line before held nothing, or this is the first line
  std::string line_first;        // first word or sign of this line, once finished; "" before
  bool in_math = false;
  bool in_display_math = false;
  bool in_comment = false;
  bool in_string = false;  // of code
  bool in_quotes = false;  // of prose
  bool in_url = false;
  bool in_number = false;   // a digit stands directly before (or a digit and one of '.' ',')
  bool in_tag = false;      // <...> of markup
  bool in_call = false;     // the innermost open bracket is '(' directly after a name
  char bracket = 0;         // innermost open bracket: '(' '[' '{' or 0
  int depth = 0;            // open brackets
  std::string argument;     // owner of the innermost '{': "\frac", "^", "_"; "" if none
  std::string environment;  // innermost \begin{...}
  char32_t last_mark = 0;   // last character that is not white space
  bool space_before = true;
  std::string word;          // letters directly before: the unfinished word, lower case
  std::string word1, word2;  // the last finished word and the one before it, lower case
  bool sentence_start = true;
  int n_sentence_words = 0;  // words finished in this sentence
};

// Not thread-safe. Feed a context from its first character on.
class TextState {
 public:
  // `begins_line`: the text starts at the beginning of a line.
  explicit TextState(bool begins_line);

  void advance(char32_t c);
  const Place& place() const { return place_; }

 private:
  enum class Math : std::uint8_t { kNone, kDollar, kTwoDollars, kParenthesis, kBracket, kEnvironment };
  struct Bracket {
    char open;
    bool call;
    std::string owner;
  };

  void end_word(char32_t c);
  void advance_line(char32_t c);
  void advance_sentence(char32_t c);
  bool advance_comment(char32_t c);  // true: the character belongs to a comment
  bool advance_string(char32_t c);
  void advance_math(char32_t c);
  void advance_quotes(char32_t c);
  void advance_brackets(char32_t c);
  void advance_command(char32_t c);
  void open_bracket(char open);
  void close_bracket(char open);
  void count_marks(char32_t c);
  void refresh();

  Place place_;
  char32_t before_ = 0, before2_ = 0;  // the last two characters
  std::int64_t n_read_ = 0;
  // kind of text
  int n_code_marks_ = 0, n_latex_marks_ = 0;
  // comments and strings
  char comment_ = 0;  // '#', '%', '/' (line), '*' (block)
  bool comment_fresh_ = false;
  char string_ = 0;  // its quote; 0: none
  bool string_triple_ = false, string_escaped_ = false;
  int string_run_ = 0, string_length_ = 0;
  std::int64_t empty_string_end_ = -2;
  // math
  Math math_ = Math::kNone;
  std::int64_t dollar_at_ = -2;
  // commands and brackets
  std::string command_;        // after a backslash
  bool command_open_ = false;  // letters are still being added
  std::string next_owner_;     // owner of a '{' or '[' that comes directly
  std::vector<Bracket> brackets_;
  std::vector<std::string> environments_;
  std::string name_in_braces_;
  // lines and sentences
  bool line_first_open_ = false;
  bool sentence_ended_ = false;
  std::string word_exact_;
};

}  // namespace moescope::label
