#include "moescope/text/concepts.h"

#ifdef MOESCOPE_WITH_TEXT

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "moescope/base/error.h"
#include "moescope/io/file.h"

namespace moescope::text {

namespace {

using nlohmann::json;

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct FreeStack {
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};

constexpr std::size_t kMinStackBytes = 64 << 10, kMaxStackBytes = 32 << 20;  // of compiled matching

std::string pcre_message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

// Numbers of the groups called `mark`.
std::vector<std::uint32_t> mark_groups(const pcre2_code* code) {
  std::uint32_t n_names = 0, entry_size = 0;
  PCRE2_SPTR table = nullptr;
  pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &n_names);
  pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &entry_size);
  pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &table);
  std::vector<std::uint32_t> groups;
  for (std::uint32_t i = 0; i < n_names; ++i, table += entry_size) {
    const std::string_view name = reinterpret_cast<const char*>(table + 2);
    if (name == "mark") groups.push_back((static_cast<std::uint32_t>(table[0]) << 8) | table[1]);
  }
  return groups;
}

class Expression {
 public:
  Expression(const std::string& pattern, const std::string& place) {
    int error = 0;
    PCRE2_SIZE at = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_DUPNAMES | PCRE2_MATCH_INVALID_UTF,
                              &error, &at, nullptr));
    if (!code_) throw input_error("expression '{}': {} at character {}", pattern, pcre_message(error), at).at(place);
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // without it matching is the same, only slower
    groups_ = mark_groups(code_.get());
  }

  struct Match {
    std::size_t begin, end;
  };

  // Calls seen(match, first mark..) for the matches of text from byte `from` on, in order. One scanner a thread.
  class Scanner {
   public:
    explicit Scanner(const Expression& expression)
        : expression_(expression),
          data_(pcre2_match_data_create_from_pattern(expression.code_.get(), nullptr)),
          context_(pcre2_match_context_create(nullptr)),
          stack_(pcre2_jit_stack_create(kMinStackBytes, kMaxStackBytes, nullptr)) {
      pcre2_jit_stack_assign(context_.get(), nullptr, stack_.get());
    }

    template <typename Seen>
    void scan(std::string_view text, std::size_t from, bool begins_line, const std::string& place, Seen seen) {
      const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
      std::uint32_t options = begins_line ? 0 : PCRE2_NOTBOL;
      while (from <= text.size()) {
        const int found =
            pcre2_match(expression_.code_.get(), subject, text.size(), from, options, data_.get(), context_.get());
        if (found == PCRE2_ERROR_NOMATCH) return;
        if (found < 0) throw input_error("matching stopped: {}", pcre_message(found)).at(place);
        const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data_.get());
        if (!seen(Match{bounds[0], bounds[1]}, bounds)) return;
        // An empty match would be found again for ever; \K may even put the begin behind the end.
        from = bounds[1] > from ? bounds[1] : from + 1;
        while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
      }
    }

    // Calls mark(begin, end) for the marked ranges of the match whose bounds are given.
    template <typename Mark>
    void marks(const PCRE2_SIZE* bounds, Mark mark) const {
      if (expression_.groups_.empty()) {
        if (bounds[0] < bounds[1]) mark(bounds[0], bounds[1]);
        return;
      }
      for (std::uint32_t group : expression_.groups_) {
        const PCRE2_SIZE begin = bounds[group * 2], end = bounds[group * 2 + 1];
        if (begin != PCRE2_UNSET && begin < end) mark(begin, end);
      }
    }

   private:
    const Expression& expression_;
    std::unique_ptr<pcre2_match_data, FreeMatch> data_;
    std::unique_ptr<pcre2_match_context, FreeContext> context_;
    std::unique_ptr<pcre2_jit_stack, FreeStack> stack_;
  };

 private:
  std::unique_ptr<pcre2_code, FreeCode> code_;
  std::vector<std::uint32_t> groups_;
};

std::string text_member(const json& object, const char* key, const std::string& place) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string() || found->get_ref<const std::string&>().empty()) {
    throw input_error("no text '{}'", key).at(place);
  }
  return found->get<std::string>();
}

std::vector<std::string> text_list(const json& list, const char* key, const std::string& place) {
  if (!list.is_array() || list.empty()) throw input_error("'{}' is not a list with something in it", key).at(place);
  std::vector<std::string> texts;
  for (const json& item : list) {
    if (!item.is_string()) throw input_error("'{}' holds something that is not text", key).at(place);
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

std::vector<Offset> sorted_and_joined(std::vector<Offset> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Offset& a, const Offset& b) { return a.begin < b.begin; });
  std::vector<Offset> joined;
  for (const Offset& range : ranges) {
    if (!joined.empty() && range.begin <= joined.back().end) {
      joined.back().end = std::max(joined.back().end, range.end);
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

}  // namespace

struct ConceptLibrary::Impl {
  std::vector<Concept> concepts;
  std::vector<std::vector<Expression>> expressions;  // by concept
};

ConceptLibrary::ConceptLibrary(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ConceptLibrary::ConceptLibrary(ConceptLibrary&&) noexcept = default;
ConceptLibrary& ConceptLibrary::operator=(ConceptLibrary&&) noexcept = default;
ConceptLibrary::~ConceptLibrary() = default;

ConceptLibrary ConceptLibrary::from_json(std::string_view text, const std::string& place) {
  const json file = json::parse(text, nullptr, false);
  if (file.is_discarded()) throw input_error("not JSON").at(place);
  if (!file.is_object() || !file.contains("concepts") || !file["concepts"].is_array()) {
    throw input_error("no list 'concepts'").at(place);
  }
  auto impl = std::make_unique<Impl>();
  std::set<std::string> names;
  for (const json& entry : file["concepts"]) {
    const std::string here = place + ": concept " + std::to_string(impl->concepts.size() + 1);
    if (!entry.is_object()) throw input_error("not an object").at(here);
    Concept one{text_member(entry, "name", here), text_member(entry, "category", here), {}, {}};
    const std::string named = place + ": concept '" + one.name + "'";
    if (!names.insert(one.name).second) throw input_error("stands there twice").at(named);
    if (entry.contains("tags") == entry.contains("expressions")) {
      throw input_error("no list 'expressions' and no list 'tags', or both").at(named);
    }
    std::vector<Expression> compiled;
    if (entry.contains("tags")) {
      one.tags = text_list(entry["tags"], "tags", named);
    } else {
      one.expressions = text_list(entry["expressions"], "expressions", named);
      for (const std::string& pattern : one.expressions) compiled.emplace_back(pattern, named);
    }
    impl->concepts.push_back(std::move(one));
    impl->expressions.push_back(std::move(compiled));
  }
  return ConceptLibrary(std::move(impl));
}

ConceptLibrary ConceptLibrary::load(const std::filesystem::path& path) {
  return from_json(io::read_file(path), path.string());
}

ConceptLibrary ConceptLibrary::built_in() { return from_json(built_in_concepts_json(), "built-in concepts"); }

std::size_t ConceptLibrary::size() const { return impl_->concepts.size(); }
const Concept& ConceptLibrary::at(std::size_t concept_idx) const { return impl_->concepts.at(concept_idx); }

std::vector<Offset> ConceptLibrary::marks(std::size_t concept_idx, std::string_view text) const {
  const std::string place = "concept '" + at(concept_idx).name + "'";
  std::vector<Offset> found;
  for (const Expression& expression : impl_->expressions[concept_idx]) {
    Expression::Scanner scanner(expression);
    scanner.scan(text, 0, true, place, [&](const Expression::Match&, const PCRE2_SIZE* bounds) {
      scanner.marks(bounds, [&](std::size_t begin, std::size_t end) {
        found.push_back({static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end)});
      });
      return true;
    });
  }
  return sorted_and_joined(std::move(found));
}

std::vector<Offset> ConceptLibrary::tag_marks(std::size_t concept_idx, std::span<const io::TaggedWord> words) const {
  const std::vector<std::string>& tags = at(concept_idx).tags;
  std::vector<Offset> found;
  for (const io::TaggedWord& word : words) {
    const bool carries = std::find(tags.begin(), tags.end(), word.tag) != tags.end();
    if (carries && word.byte_begin < word.byte_end) found.push_back({word.byte_begin, word.byte_end});
  }
  return sorted_and_joined(std::move(found));
}

std::vector<bool> ConceptLibrary::visible(std::size_t concept_idx, std::string_view text,
                                          std::span<const Offset> tokens, bool begins_line) const {
  const std::string place = "concept '" + at(concept_idx).name + "'";
  std::vector<bool> shows(tokens.size(), false);
  for (const Expression& expression : impl_->expressions[concept_idx]) {
    Expression::Scanner scanner(expression);
    // Matches of the whole text that end before a token are also matches of the text cut off behind it; the search
    // goes on from the last of them.
    std::vector<std::size_t> ends;
    scanner.scan(text, 0, begins_line, place, [&](const Expression::Match& match, const PCRE2_SIZE*) {
      ends.push_back(match.end);
      return true;
    });
    std::size_t n_ended = 0;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      if (shows[t]) continue;
      const auto begin = static_cast<std::size_t>(tokens[t].begin), end = static_cast<std::size_t>(tokens[t].end);
      while (n_ended < ends.size() && ends[n_ended] <= begin) ++n_ended;
      std::size_t from = n_ended > 0 ? ends[n_ended - 1] : 0;
      if (end > static_cast<std::size_t>(kLookBack)) from = std::max(from, end - static_cast<std::size_t>(kLookBack));
      while (from < end && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
      if (from >= end) continue;
      scanner.scan(text.substr(0, end), from, begins_line, place,
                   [&](const Expression::Match&, const PCRE2_SIZE* bounds) {
                     scanner.marks(bounds, [&](std::size_t mark_begin, std::size_t mark_end) {
                       if (mark_begin < end && mark_end > begin) shows[t] = true;
                     });
                     return !shows[t];
                   });
    }
  }
  return shows;
}

}  // namespace moescope::text

#else

#include "moescope/base/error.h"

namespace moescope::text {

struct ConceptLibrary::Impl {};

ConceptLibrary::ConceptLibrary(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ConceptLibrary::ConceptLibrary(ConceptLibrary&&) noexcept = default;
ConceptLibrary& ConceptLibrary::operator=(ConceptLibrary&&) noexcept = default;
ConceptLibrary::~ConceptLibrary() = default;

namespace {
Error no_text() { return environment_error("concepts need a build with text support (MOESCOPE_WITH_TEXT)"); }
}  // namespace

ConceptLibrary ConceptLibrary::built_in() { throw no_text(); }
ConceptLibrary ConceptLibrary::load(const std::filesystem::path&) { throw no_text(); }
ConceptLibrary ConceptLibrary::from_json(std::string_view, const std::string&) { throw no_text(); }
std::size_t ConceptLibrary::size() const { throw no_text(); }
const Concept& ConceptLibrary::at(std::size_t) const { throw no_text(); }
std::vector<Offset> ConceptLibrary::marks(std::size_t, std::string_view) const { throw no_text(); }
std::vector<Offset> ConceptLibrary::tag_marks(std::size_t, std::span<const io::TaggedWord>) const { throw no_text(); }
std::vector<bool> ConceptLibrary::visible(std::size_t, std::string_view, std::span<const Offset>, bool) const {
  throw no_text();
}

}  // namespace moescope::text

#endif
