#include "moescope/io/settings_file.h"

#include <toml++/toml.h>

#include <algorithm>

#include "moescope/base/error.h"
#include "moescope/io/byte_source.h"

namespace moescope::io {
namespace {

std::int64_t line_of(const toml::node& node) { return static_cast<std::int64_t>(node.source().begin.line); }

Error at(const Error& error, const std::string& file, std::int64_t line) {
  return error.at(fmt::format("{}, line {}", file, line));
}

OptionItem item_of(const toml::node& node, const std::string& key, const std::string& file) {
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* whole = node.as_integer()) return whole->get();
  if (const auto* real = node.as_floating_point()) return real->get();
  if (const auto* text = node.as_string()) return text->get();
  throw at(input_error("'{}' is neither true, false, a number nor a text", key), file, line_of(node));
}

OptionValue value_of(const toml::node& node, const std::string& key, const std::string& file) {
  const toml::array* list = node.as_array();
  OptionValue value{{}, list != nullptr};
  if (list == nullptr) {
    value.items.push_back(item_of(node, key, file));
  } else {
    for (const toml::node& item : *list) value.items.push_back(item_of(item, key, file));
  }
  return value;
}

SettingsTable table_of(const toml::table& source, const std::string& file) {
  SettingsTable table{file, {}, {}, line_of(source)};
  for (const auto& [name, node] : source) {
    const std::string key(name.str());
    const toml::array* list = node.as_array();
    if (node.is_table()) throw at(input_error("the table '{}' is unknown", key), file, line_of(node));
    if (list != nullptr && !list->empty() && list->is_homogeneous(toml::node_type::table)) {
      for (const toml::node& each : *list) table.tables.emplace_back(key, table_of(*each.as_table(), file));
    } else {
      table.settings.push_back({key, value_of(node, key, file), line_of(node)});
    }
  }
  std::sort(table.settings.begin(), table.settings.end(),
            [](const Setting& a, const Setting& b) { return a.line < b.line; });
  return table;
}

}  // namespace

void SettingsTable::apply(OptionList& options, const std::vector<std::string_view>& known_tables) const {
  for (const auto& [name, table] : tables) {
    if (std::find(known_tables.begin(), known_tables.end(), name) == known_tables.end()) {
      throw at(input_error("the table '{}' is unknown", name), file, table.line);
    }
  }
  for (const Setting& setting : settings) {
    try {
      options.set(setting.key, setting.value);
    } catch (const Error& error) {
      const auto as_key = [&](const std::string& name) {
        return options.find(setting.key) == options.find(name) ? setting.key : fmt::format("'{}'", name);
      };
      throw at(Error(ErrorKind::kInput, rename_options(error.what(), as_key)), file, setting.line);
    }
  }
}

SettingsTable read_settings(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) throw input_error("{}: no such settings file", path.string());
  const std::string text = read_all(path, kMaxSettingsBytes);
  try {
    return table_of(toml::parse(text), path.string());
  } catch (const toml::parse_error& error) {
    throw at(input_error("{}", error.description()), path.string(),
             static_cast<std::int64_t>(error.source().begin.line));
  }
}

}  // namespace moescope::io
