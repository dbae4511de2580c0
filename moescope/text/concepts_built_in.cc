// The built-in concept file. Kept as text so that the program needs no data folder.
#include "moescope/text/concepts.h"

namespace moescope::text {

namespace {

constexpr std::string_view kConcepts = R"json({"concepts": [

{"name": "is_superscript", "category": "latex", "expressions": [
  "\\^(?<mark>(?<b>\\{(?:[^{}\\\\]|\\\\.|(?&b))*+\\}))",
  "(?<![\\s\\\\])\\^(?<mark>\\\\[A-Za-z]+|[A-Za-z0-9*+\\-'])"]},
{"name": "is_subscript", "category": "latex", "expressions": [
  "(?<!\\\\)_(?<mark>(?<b>\\{(?:[^{}\\\\]|\\\\.|(?&b))*+\\}))",
  "(?:\\\\[A-Za-z]+|(?<![A-Za-z0-9_])[A-Za-z]|[})\\]'])_(?<mark>\\\\[A-Za-z]+|[A-Za-z0-9*+])(?![A-Za-z0-9_])"]},
{"name": "is_inline_math", "category": "latex", "expressions": [
  "(?<![\\\\$])\\$(?![\\s$])(?:[^$\\\\\\n]++|\\\\.|\\n(?!\\s*\\n))++(?<![\\s\\\\])\\$(?![$\\d])",
  "(?<!\\\\)\\\\\\((?s:.)+?\\\\\\)"]},
{"name": "is_display_math", "category": "latex", "expressions": [
  "(?<!\\\\)\\$\\$(?s:.)+?\\$\\$",
  "(?<!\\\\)\\\\\\[(?s:.)+?\\\\\\]",
  "\\\\begin\\{(equation|align|alignat|flalign|gather|multline|eqnarray|displaymath)(\\*?)\\}(?s:.)*?\\\\end\\{\\1\\2\\}"]},
{"name": "is_math", "category": "latex", "expressions": [
  "(?<![\\\\$])\\$(?![\\s$])(?:[^$\\\\\\n]++|\\\\.|\\n(?!\\s*\\n))++(?<![\\s\\\\])\\$(?![$\\d])",
  "(?<!\\\\)\\\\\\((?s:.)+?\\\\\\)",
  "(?<!\\\\)\\$\\$(?s:.)+?\\$\\$",
  "(?<!\\\\)\\\\\\[(?s:.)+?\\\\\\]",
  "\\\\begin\\{(equation|align|alignat|flalign|gather|multline|eqnarray|displaymath|math)(\\*?)\\}(?s:.)*?\\\\end\\{\\1\\2\\}"]},
{"name": "is_denominator", "category": "latex", "expressions": [
  "\\\\[dtc]?frac\\s*(?<b>\\{(?:[^{}\\\\]|\\\\.|(?&b))*+\\})\\s*\\{(?<mark>(?:[^{}\\\\]|\\\\.|(?&b))*+)\\}"]},
{"name": "is_numerator", "category": "latex", "expressions": [
  "\\\\[dtc]?frac\\s*\\{(?<mark>(?:[^{}\\\\]|\\\\.|(?<b>\\{(?:[^{}\\\\]|\\\\.|(?&b))*+\\}))*+)\\}"]},
{"name": "is_frac", "category": "latex", "expressions": [
  "\\\\[dtc]?frac\\s*(?<b>\\{(?:[^{}\\\\]|\\\\.|(?&b))*+\\})\\s*(?&b)"]},
{"name": "is_author", "category": "latex", "expressions": [
  "\\\\author\\s*(?:\\[[^\\]\\n]*\\]\\s*)?\\{(?<mark>(?:[^{}\\\\]|\\\\.|(?<b>\\{(?:[^{}\\\\]|\\\\.|(?&b))*+\\}))*+)\\}",
  "^author:[ \\t]*(?<mark>\\S[^\\n]*)",
  "^author:[ \\t]*\\n(?<mark>(?:[ \\t-][^\\n]*(?:\\n|\\z))+)"]},
{"name": "is_title", "category": "latex", "expressions": [
  "\\\\title\\s*(?:\\[[^\\]\\n]*\\]\\s*)?\\{(?<mark>(?:[^{}\\\\]|\\\\.|(?<b>\\{(?:[^{}\\\\]|\\\\.|(?&b))*+\\}))*+)\\}",
  "^title:[ \\t]*(?<mark>[^\\s|][^\\n]*)",
  "^title:[ \\t]*\\|?[ \\t]*\\n(?<mark>(?:[ \\t]+[^\\n]*(?:\\n|\\z))+)"]},
{"name": "is_reference", "category": "latex", "expressions": [
  "\\[-?@[^\\]\\n]+\\]",
  "\\\\(?:[Cc]ite[a-z]*\\*?|[a-zA-Z]*ref)\\s*(?:\\[[^\\]\\n]*\\]\\s*){0,2}\\{[^{}\\n]*\\}"]},
{"name": "is_abstract", "category": "latex", "expressions": [
  "\\\\begin\\{abstract\\}(?<mark>(?s:.)*?)\\\\end\\{abstract\\}",
  "\\\\abstract\\s*\\{(?<mark>(?:[^{}\\\\]|\\\\.|(?<b>\\{(?:[^{}\\\\]|\\\\.|(?&b))*+\\}))*+)\\}",
  "^abstract:[ \\t]*(?<mark>[^\\s|][^\\n]*)",
  "^abstract:[ \\t]*\\|?[ \\t]*\\n(?<mark>(?:(?:[ \\t]+[^\\n]*|[ \\t]*)(?:\\n|\\z))+?)(?=\\S|\\z)"]},

{"name": "is_function_def", "category": "code", "expressions": [
  "^[ \\t]*(?<mark>(?:async[ \\t]+)?def[ \\t]+\\w+[ \\t]*\\([^()]*(?:\\([^()]*\\)[^()]*)*\\)?(?:[ \\t]*->[^:\\n]+)?)",
  "\\bfunction[ \\t]*\\*?[ \\t]+\\w+[ \\t]*\\([^()\\n]*\\)",
  "^[ \\t]*(?:pub(?:\\([a-z]+\\))?[ \\t]+)?(?:fn|func)[ \\t]+(?:\\([^()\\n]*\\)[ \\t]*)?\\w+[^\\n{;]*",
  "^[ \\t]*(?:(?:public|private|protected|static|inline|virtual|const|unsigned|extern)[ \\t]+)*(?:void|int|char|bool|float|double|long|short|size_t|auto|String)[ \\t*&]+\\w+[ \\t]*\\([^();\\n]*\\)(?=\\s*\\{)"]},
{"name": "is_function_call", "category": "code", "expressions": [
  "(?<![\\w.\\\\])(?<!def )(?<!class )(?<!function )(?<!fn )(?<!func )(?<mark>(?!(?:if|elif|for|while|switch|return|catch|and|or|not|in|is|print|except|with|assert|yield|lambda|def|class|sizeof)\\b)[A-Za-z_]\\w*(?:\\.[A-Za-z_]\\w*)*|print)\\("]},
{"name": "is_assignment", "category": "code", "expressions": [
  "^[ \\t]*(?<mark>(?:(?:const|let|var|auto|int|float|double|char|bool|long|unsigned|static)[ \\t*&]+)*[A-Za-z_$][\\w.]*(?:\\[[^\\]\\n]*\\])*(?:[ \\t]*,[ \\t]*[A-Za-z_][\\w.]*)*(?:[ \\t]*:[ \\t]*[\\w\\[\\], .]+?)?[ \\t]*(?:[-+*/%@&|^:]|//|\\*\\*|<<|>>)?=)(?![=~>])"]},
{"name": "is_class_def", "category": "code", "expressions": [
  "^[ \\t]*(?<mark>(?:(?:public|private|protected|abstract|final|export|default|static)[ \\t]+)*class[ \\t]+\\w+[^\\n:{;]*)(?=[:{])"]},
{"name": "is_import", "category": "code", "expressions": [
  "^[ \\t]*import[ \\t]+[\\w.*{][^\\n;]*",
  "^[ \\t]*from[ \\t]+[\\w.]+[ \\t]+import\\b[^\\n]*",
  "^[ \\t]*#[ \\t]*include[ \\t]*[<\"][^>\"\\n]+[>\"]",
  "^[ \\t]*(?:using[ \\t]+namespace|use)[ \\t]+[\\w:.]+[^\\n;]*;",
  "\\brequire\\(['\"][^'\"\\n]+['\"]\\)"]},
{"name": "is_comment", "category": "code", "expressions": [
  "(?<![\\w&\"'\\\\$(\\[{#])#(?!include\\b|define\\b|ifdef\\b|ifndef\\b|if\\b|endif\\b|else\\b|pragma\\b|undef\\b|elif\\b)[^\\n]*",
  "(?<![:\\w\"'/])//[^\\n]*",
  "/\\*(?s:.)*?\\*/",
  "<!--(?s:.)*?-->"]},
{"name": "is_string_literal", "category": "code", "expressions": [
  "(?i:\\b[rbfu]{1,2})?(?:\"\"\"(?:[^\"\\\\]|\\\\(?s:.)|\"(?!\"\"))*+\"\"\"|'''(?:[^'\\\\]|\\\\(?s:.)|'(?!''))*+'''|\"(?:[^\"\\\\\\n]|\\\\.)*+\"|(?<![\\w])'(?:[^'\\\\\\n]|\\\\.)*+'(?!\\w))"]},
{"name": "is_control_flow", "category": "code", "expressions": [
  "^[ \\t]*(?:\\}[ \\t]*)?(?<mark>if|elif|else|else[ \\t]+if|for|while|switch|case|do|break|continue|return|yield|pass|goto|match|with|try|except|finally|raise)\\b(?=[ \\t]*(?:[:({;\\n]|[^\\n]*[:({;]|$)|[ \\t]+[\\w\\-\"'\\[(]|$)"]},
{"name": "is_loop", "category": "code", "expressions": [
  "^[ \\t]*(?<mark>(?:async[ \\t]+)?for[ \\t]+[^\\n:]+?[ \\t]in[ \\t][^\\n:]+):",
  "^[ \\t]*(?<mark>while[ \\t]+[^\\n:{]+):",
  "\\b(?<mark>(?:for|while)[ \\t]*\\([^\\n{]*\\))"]},
{"name": "is_conditional", "category": "code", "expressions": [
  "^[ \\t]*(?<mark>(?:if|elif)\\b[ \\t(][^\\n]*?):[ \\t]*(?:#[^\\n]*)?$",
  "^[ \\t]*(?<mark>else)[ \\t]*:",
  "(?<![\\w])(?<mark>if[ \\t]*\\([^\\n{]*\\))",
  "\\}[ \\t]*(?<mark>else)\\b"]},
{"name": "is_exception_handling", "category": "code", "expressions": [
  "^[ \\t]*(?<mark>(?:try|finally))[ \\t]*:",
  "^[ \\t]*(?<mark>except\\b[^\\n:]*):",
  "^[ \\t]*(?<mark>raise\\b[^\\n]*)",
  "\\b(?<mark>try|finally)[ \\t]*\\{",
  "\\b(?<mark>catch[ \\t]*\\([^()\\n]*\\))",
  "^[ \\t]*(?<mark>throw\\b[^\\n;]*);"]},
{"name": "is_array_literal", "category": "code", "expressions": [
  "(?<![\\w)\\]\\\\])(?<l>\\[(?:[^\\[\\]\\n]|\\n(?!\\n)|(?&l))*+\\])(?!\\()"]},
{"name": "is_method_call", "category": "code", "expressions": [
  "[\\w)\\]\"']\\.(?<mark>[A-Za-z_]\\w*)\\(",
  "[\\w)]->(?<mark>[A-Za-z_]\\w*)\\("]},
{"name": "is_lambda", "category": "code", "expressions": [
  "\\blambda\\b[^:\\n]*:",
  "(?:\\([^()\\n]*\\)|\\b\\w+)[ \\t]*=>",
  "\\[[&=\\w, ]*\\][ \\t]*\\([^()\\n]*\\)[ \\t]*(?:->[^{\\n]+)?(?=\\{)"]},
{"name": "is_operator", "category": "code", "expressions": [
  "(?<=[\\w)\\]\"'} ])(?:===|!==|==|!=|<=|>=|<<|>>|\\*\\*|//|&&|\\|\\||\\+\\+|--|[-+*/%&|^]=|->|:=|[-+*/%<>=&|^~])(?=[\\w(\\[\"'{ ~+-])",
  "(?<=[\\w)\\]\"'] )(?:and|or|not|in|is)(?= [\\w(\\[\"'])"]},
{"name": "is_constant", "category": "code", "expressions": [
  "(?<![\\w\\\\])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?!\\w)",
  "(?<![\\w\\\\])[A-Z][A-Z0-9]{1,}(?=[ \\t]*=[^=])"]},
{"name": "is_boolean", "category": "code", "expressions": [
  "(?<![\\w])(?:True|False|true|false|TRUE|FALSE)(?!\\w)"]},
{"name": "is_null", "category": "code", "expressions": [
  "(?<![\\w])(?:None|null|NULL|nullptr|nil|undefined)(?!\\w)"]},
{"name": "is_decorator", "category": "code", "expressions": [
  "^[ \\t]*(?<mark>@[A-Za-z_][\\w.]*(?:\\([^()\\n]*(?:\\([^()\\n]*\\)[^()\\n]*)*\\))?)[ \\t]*$"]},
{"name": "is_async", "category": "code", "expressions": [
  "\\b(?:async(?=[ \\t]+(?:def|for|with|function|fn)\\b|[ \\t]*\\()|await(?=[ \\t]+[\\w(]))"]},

{"name": "leading_capital", "category": "text", "expressions": ["(?<![\\p{L}\\p{N}_])\\p{Lu}"]},
{"name": "leading_loweralpha", "category": "text", "expressions": ["(?<![\\p{L}\\p{N}_])\\p{Ll}"]},
{"name": "all_digits", "category": "text", "expressions": ["(?<![\\p{L}\\p{N}_])\\p{Nd}+(?![\\p{L}\\p{N}_])"]},
{"name": "is_not_ascii", "category": "text", "expressions": ["[^\\x{00}-\\x{7F}]+"]},
{"name": "contains_all_whitespace", "category": "text", "expressions": ["\\s{2,}"]},
{"name": "all_capitals", "category": "text", "expressions": ["(?<![\\p{L}\\p{N}_])\\p{Lu}{2,}(?![\\p{L}\\p{N}_])"]},
{"name": "is_not_alphanumeric", "category": "text", "expressions": ["[^\\p{L}\\p{N}\\s]+"]},
{"name": "contains_whitespace", "category": "text", "expressions": ["\\s+"]},
{"name": "contains_capital", "category": "text", "expressions": ["\\p{Lu}"]},
{"name": "contains_digit", "category": "text", "expressions": ["\\p{Nd}"]},

{"name": "adjective", "category": "pos", "tags": ["ADJ"]},
{"name": "adposition", "category": "pos", "tags": ["ADP"]},
{"name": "adverb", "category": "pos", "tags": ["ADV"]},
{"name": "auxiliary", "category": "pos", "tags": ["AUX"]},
{"name": "coordinating_conjunction", "category": "pos", "tags": ["CCONJ"]},
{"name": "determiner", "category": "pos", "tags": ["DET"]},
{"name": "noun", "category": "pos", "tags": ["NOUN"]},
{"name": "numeral", "category": "pos", "tags": ["NUM"]},
{"name": "particle", "category": "pos", "tags": ["PART"]},
{"name": "pronoun", "category": "pos", "tags": ["PRON"]},
{"name": "proper_noun", "category": "pos", "tags": ["PROPN"]},
{"name": "punctuation", "category": "pos", "tags": ["PUNCT"]},
{"name": "subordinating_conjunction", "category": "pos", "tags": ["SCONJ"]},
{"name": "symbol", "category": "pos", "tags": ["SYM"]},
{"name": "verb", "category": "pos", "tags": ["VERB"]},
{"name": "other", "category": "pos", "tags": ["X"]}

]})json";

}  // namespace

std::string_view built_in_concepts_json() { return kConcepts; }

}  // namespace moescope::text
