#include "moescope/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <utility>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"
#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

template <auto destroy>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    destroy(pointer);
  }
};
using Code = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context, Deleter<pcre2_compile_context_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, Deleter<pcre2_jit_stack_free>>;

constexpr std::size_t kJitStackStart = 32 << 10, kJitStackMax = 16 << 20;
constexpr std::uint32_t kMatchLimit = 50'000'000;  // steps of one search; the default stops sound patterns on long text
constexpr std::size_t kMaxExpressionBytes = 1 << 20;

std::string message_of(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

struct Regex::Program {
  Code code;
};

struct Regex::Scratch {
  MatchData data;
  MatchContext context;
  JitStack stack;
};

Regex::Regex(const std::string& oniguruma) : expression_(oniguruma), program_(std::make_unique<Program>()) {
  if (oniguruma.size() > kMaxExpressionBytes) throw input_error("regular expression of {} bytes", oniguruma.size());
  const std::string translated = translate_oniguruma(oniguruma);
  const CompileContext context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE position = 0;
  program_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                     PCRE2_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &position,
                                     context.get()));
  if (!program_->code) throw input_error("regular expression {}: {}", io::quote_name(expression_), message_of(error));
  // Without JIT (a machine or a pattern that it does not support) matching is slower, not different.
  pcre2_jit_compile(program_->code.get(), PCRE2_JIT_COMPLETE);
}

Regex::~Regex() = default;

std::unique_ptr<Regex::Scratch> Regex::take_scratch() const {
  {
    const std::lock_guard lock(mutex_);
    if (!scratch_.empty()) {
      auto scratch = std::move(scratch_.back());
      scratch_.pop_back();
      return scratch;
    }
  }
  auto scratch = std::make_unique<Scratch>();
  scratch->data.reset(pcre2_match_data_create_from_pattern(program_->code.get(), nullptr));
  scratch->context.reset(pcre2_match_context_create(nullptr));
  scratch->stack.reset(pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr));
  if (!scratch->data || !scratch->context) throw environment_error("out of memory for a regular expression");
  pcre2_set_match_limit(scratch->context.get(), kMatchLimit);
  if (scratch->stack) pcre2_jit_stack_assign(scratch->context.get(), nullptr, scratch->stack.get());
  return scratch;
}

void Regex::find_all(std::string_view text, const std::function<void(std::size_t, std::size_t)>& found) const {
  auto scratch = take_scratch();
  const auto match = [&](std::size_t from) {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int result = pcre2_match(program_->code.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, scratch->data.get(),
                             scratch->context.get());
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {  // the interpreter keeps its state on the heap
      result = pcre2_match(program_->code.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                           scratch->data.get(), scratch->context.get());
    }
    if (result < 0 && result != PCRE2_ERROR_NOMATCH) {
      throw input_error("regular expression {} cannot search this text: {}", io::quote_name(expression_),
                        message_of(result));
    }
    return result > 0;
  };
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(scratch->data.get());
  bool has_last = false;
  std::size_t last_end = 0;
  for (std::size_t from = 0; from <= text.size() && match(from);) {
    const std::size_t begin = range[0], end = range[1];
    if (begin > end)
      throw input_error("regular expression {} ends a match before its start", io::quote_name(expression_));
    if (begin == end && has_last && end == last_end) {
      if (from == text.size()) break;
      from += utf8_length(text[from]);
      continue;
    }
    found(begin, end);
    from = last_end = end;
    has_last = true;
  }
  const std::lock_guard lock(mutex_);
  scratch_.push_back(std::move(scratch));
}

}  // namespace moescope::text
