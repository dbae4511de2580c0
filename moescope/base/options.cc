#include "moescope/base/options.h"

#include <algorithm>

namespace moescope {
namespace {

std::string with_dashes(std::string_view name) {
  std::string result(name);
  std::replace(result.begin(), result.end(), '_', '-');
  return result;
}

std::string bound_text(const std::optional<double>& bound) { return fmt::format("{}", *bound); }

bool is_within(double value, const OptionNotes& notes) {
  return !(notes.least && value < *notes.least) && !(notes.most && value > *notes.most) &&
         !(notes.above && value <= *notes.above) && !(notes.below && value >= *notes.below);
}

std::optional<double> number_of(const OptionItem& item) {
  if (const auto* whole = std::get_if<std::int64_t>(&item)) return static_cast<double>(*whole);
  if (const auto* large = std::get_if<std::uint64_t>(&item)) return static_cast<double>(*large);
  if (const auto* real = std::get_if<double>(&item)) return *real;
  return std::nullopt;
}

bool is_empty(const OptionValue& value) {
  return value.items.empty() || (value.items.size() == 1 && value.items.front() == OptionItem(std::string()));
}

// Errors of `action` say which option they are about.
void with_name(const std::string& name, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    throw error.at(option_name(name));
  }
}

}  // namespace

Option::Option(std::string name, std::string help, std::string group, OptionNotes notes, OptionField field)
    : name_(std::move(name)),
      help_(std::move(help)),
      group_(std::move(group)),
      notes_(std::move(notes)),
      field_(std::move(field)) {
  if (!notes_.words.empty()) field_.kind = OptionKind::kWord;
}

std::string Option::key() const {
  if (!notes_.key.empty()) return notes_.key;
  std::string key = name_;
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

std::string Option::range_text() const {
  if (!notes_.words.empty()) return fmt::format("one of: {}", fmt::join(notes_.words, ", "));
  std::string low, high;
  if (notes_.least) low = "at least " + bound_text(notes_.least);
  if (notes_.above) low = "above " + bound_text(notes_.above);
  if (notes_.most) high = "at most " + bound_text(notes_.most);
  if (notes_.below) high = "below " + bound_text(notes_.below);
  return low + (low.empty() || high.empty() ? "" : " and ") + high;
}

void Option::check_items(const std::vector<OptionItem>& items) const {
  for (const OptionItem& item : items) {
    const std::optional<double> number = number_of(item);
    if (number && !is_within(*number, notes_)) {
      throw usage_error("{} is {}, expected {}", option_name(name_), written(item), range_text());
    }
    if (notes_.words.empty()) continue;
    const std::string word = written(item);
    if (std::find(notes_.words.begin(), notes_.words.end(), word) == notes_.words.end()) {
      throw unknown_word(word, notes_.words).at(option_name(name_));
    }
  }
}

void Option::set(const OptionValue& value) {
  if (!field_.is_list && (value.is_list || value.items.size() != 1)) {
    throw usage_error("{} takes one value, not {}", option_name(name_),
                      value.is_list ? "a list" : std::to_string(value.items.size()));
  }
  std::vector<OptionItem> items = value.items;
  with_name(name_, [&] {
    for (OptionItem& item : items) {
      const auto* text = std::get_if<std::string>(&item);
      if (text != nullptr && field_.kind == OptionKind::kBytes) item = item_of_text(*text, field_.kind);
    }
  });
  check_items(items);
  with_name(name_, [&] { field_.set(items); });
  is_given_ = true;
}

void Option::set_texts(const std::vector<std::string>& texts) {
  OptionValue value{{}, field_.is_list};
  with_name(name_, [&] {
    for (const std::string& text : texts) value.items.push_back(item_of_text(text, field_.kind));
  });
  set(value);
}

void Option::check() const {
  const OptionValue now = value();
  if (notes_.required && has_value() && is_empty(now)) {
    throw usage_error("{} is missing", option_name(name_)).hint(help_);
  }
  if (!is_empty(now)) check_items(now.items);
}

void OptionList::append(const char* name, const char* help, OptionNotes notes, OptionField field) {
  MOESCOPE_ASSERT(find(name) == nullptr);
  options_.emplace_back(name, help, group_, std::move(notes), std::move(field));
}

void OptionList::add_setter(const char* name, const char* help, OptionKind kind,
                            std::function<void(const OptionValue&)> set, OptionNotes notes) {
  OptionField field{kind, true, nullptr, {}};
  field.set = [set = std::move(set)](const std::vector<OptionItem>& items) { set({items, true}); };
  append(name, help, std::move(notes), std::move(field));
}

std::vector<std::string> OptionList::names() const {
  std::vector<std::string> names;
  for (const Option& option : options_) names.push_back(option.name());
  return names;
}

const Option* OptionList::find(std::string_view name) const {
  const std::string wanted = with_dashes(name);
  const auto found =
      std::find_if(options_.begin(), options_.end(), [&](const Option& option) { return option.name() == wanted; });
  return found == options_.end() ? nullptr : &*found;
}

Option* OptionList::find(std::string_view name) {
  return const_cast<Option*>(static_cast<const OptionList&>(*this).find(name));
}

void OptionList::set(std::string_view name, const OptionValue& value) {
  if (Option* option = find(name); option != nullptr) {
    option->set(value);
    return;
  }
  if (with_dashes(name).starts_with("no-")) {
    Option* opposite = find(name.substr(3));
    if (opposite != nullptr && opposite->kind() == OptionKind::kBool && !opposite->is_list()) {
      opposite->set(value);  // refuses what is no bool
      opposite->set({{!std::get<bool>(value.items.front())}, false});
      return;
    }
  }
  std::string hint = did_you_mean(with_dashes(name), names());
  if (name.find('_') != std::string_view::npos) std::replace(hint.begin(), hint.end(), '-', '_');
  const Error error = usage_error("'{}' is not a setting{}", name, owner_.empty() ? "" : " of " + owner_);
  throw hint.empty() ? error : error.hint(hint);
}

void OptionList::check() const {
  for (const Option& option : options_) {
    option.check();
    const Option* other = option.notes().excludes.empty() ? nullptr : find(option.notes().excludes);
    if (other != nullptr && option.is_given() && other->is_given()) {
      throw usage_error("{} cannot be given together with {}", option_name(option.name()), option_name(other->name()));
    }
  }
}

std::string option_name(std::string_view name) { return fmt::format("option '{}'", name); }

std::string rename_options(const std::string& text, const std::function<std::string(const std::string&)>& rename) {
  static constexpr std::string_view kBefore = "option '";
  std::string result;
  std::size_t done = 0;
  for (std::size_t at = text.find(kBefore); at != std::string::npos; at = text.find(kBefore, done)) {
    const std::size_t name = at + kBefore.size();
    const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-", name);
    const bool is_name = end != std::string::npos && end > name && text[end] == '\'';
    result += text.substr(done, (is_name ? at : name) - done);
    if (is_name) result += rename(text.substr(name, end - name));
    done = is_name ? end + 1 : name;
  }
  return result + text.substr(done);
}

}  // namespace moescope
