// A struct of options described once: the name of every field, its unit, range and help beside its default, which
// stands in the struct. Flags and --help, keys of settings files, the JSON of run.json, the checks of the library and
// keyword arguments of other languages are all made from that one description.
//
//   struct RecordOptions {
//     std::int64_t n_tokens = 2'000'000;
//     void describe(OptionList& list) { list.add("tokens", n_tokens, "of the corpus to run, 0: all", {.least = 0}); }
//   };
//
// A list views the fields of one struct: reading an option reads the field, setting it writes the field. So the struct
// must outlive the list. Structs of shared options are described where they are defined, and others call their
// describe(). Non-goals: how a flag or a key is written (cli/flags.h, io/settings_file.h), conditions between several
// options (the check of the struct's own room).
//
// Errors name an option by its name, as option_name() writes it; rename_options() lets the command line say --name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/base/option_fields.h"

namespace moescope {

// What is said of an option beside its name, field and help. Designated initialisers: {.unit = "tokens", .least = 0}.
struct OptionNotes {
  std::string unit = {};                // "tokens", "steps"
  std::optional<double> least = {};     // value >= least; of lists, every item
  std::optional<double> above = {};     // value > above
  std::optional<double> most = {};      // value <= most
  std::optional<double> below = {};     // value < below
  std::vector<std::string> words = {};  // the texts that are allowed; an enum brings its own
  bool required = false;                // a text, path or list must not be empty
  bool positional = false;              // on the command line it stands without its name
  bool in_identity = true;              // false: results do not depend on it, or a hash in run.json stands for it
  std::string excludes = {};            // another option of the list that cannot be given together with this one
  std::string key = {};                 // in JSON, where schema 1 has another spelling than the name's
};

// One field of a described struct.
class Option {
 public:
  Option(std::string name, std::string help, std::string group, OptionNotes notes, OptionField field);

  const std::string& name() const { return name_; }
  const std::string& help() const { return help_; }
  const std::string& group() const { return group_; }
  const OptionNotes& notes() const { return notes_; }
  OptionKind kind() const { return field_.kind; }
  bool is_list() const { return field_.is_list; }
  bool has_value() const { return field_.get != nullptr; }  // false: only another way to set a field
  bool is_given() const { return is_given_; }               // set() was called
  std::string key() const;                                  // in JSON: "trace_tokens"
  std::string range_text() const;                           // "at least 1", "one of: a, b", "" for any value
  OptionValue value() const { return field_.get ? field_.get() : OptionValue{}; }

  // Throw kUsage naming the option: a value of another type, out of range, none where one is needed.
  void set(const OptionValue& value);
  void set_texts(const std::vector<std::string>& texts);  // as written on a command line
  void check() const;

 private:
  void check_items(const std::vector<OptionItem>& items) const;

  std::string name_, help_, group_;
  OptionNotes notes_;
  OptionField field_;
  bool is_given_ = false;
};

// The options of a struct, in the order of their description.
class OptionList {
 public:
  // `owner`: what the options are settings of, for errors: "a sweep", "'record'".
  explicit OptionList(std::string owner = {}) : owner_(std::move(owner)) {}

  // Options added from here on stand under this heading of --help.
  void group(std::string title) { group_ = std::move(title); }

  // T: bool, whole numbers, reals, texts, paths, enums with words_for, lists (std::vector) and std::optional of them,
  // and std::map<std::string, double>, written NAME=NUMBER.
  template <typename T>
  void add(const char* name, T& field, const char* help, OptionNotes notes = {}) {
    using Item = typename detail::ListItem<T>::type;
    if constexpr (HasWords<Item>) notes.words = all_words<Item>();
    append(name, help, std::move(notes), option_field(field));
  }
  // A size in bytes: texts may say "8G".
  template <typename T>
  void add_bytes(const char* name, T& field, const char* help, OptionNotes notes = {}) {
    OptionField described = option_field(field);
    described.kind = OptionKind::kBytes;
    append(name, help, std::move(notes), std::move(described));
  }
  // Another way to set a field that has its own option: it can be given, but is never part of the JSON.
  void add_setter(const char* name, const char* help, OptionKind kind, std::function<void(const OptionValue&)> set,
                  OptionNotes notes = {});

  std::vector<Option>::iterator begin() { return options_.begin(); }
  std::vector<Option>::iterator end() { return options_.end(); }
  std::vector<Option>::const_iterator begin() const { return options_.begin(); }
  std::vector<Option>::const_iterator end() const { return options_.end(); }
  std::vector<std::string> names() const;

  // The option of a name, in which '-' and '_' are alike; nullptr if there is none.
  Option* find(std::string_view name);
  const Option* find(std::string_view name) const;
  // What `name` = `value` means: an option, or for "no-x" = true the option "x" = false. Throws kUsage for a name that
  // is none (with the nearest), and as Option::set.
  void set(std::string_view name, const OptionValue& value);

  // Every option by itself, and that none is given together with one that it excludes. Throws kUsage.
  void check() const;

 private:
  void append(const char* name, const char* help, OptionNotes notes, OptionField field);

  std::string owner_, group_;
  std::vector<Option> options_;
};

template <typename Options>
OptionList described(Options& options, std::string owner = {}) {
  OptionList list(std::move(owner));
  options.describe(list);
  return list;
}

// What a function of the library does first with its options. Throws kUsage.
template <typename Options>
void check_options(Options options) {
  described(options).check();
}

// How texts of the library name an option: "option 'trace-tokens'".
std::string option_name(std::string_view name);
// `text` with each "option 'NAME'" as `rename` writes NAME.
std::string rename_options(const std::string& text, const std::function<std::string(const std::string&)>& rename);

}  // namespace moescope
