// Reads the fixtures of tests/reference/make_tokenizer_fixtures.py.
#pragma once

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace moescope::text {

inline nlohmann::json read_fixture(const std::string& name) {
  std::ifstream file(MOESCOPE_SOURCE_DIR "/tests/fixtures/text/" + name);
  return nlohmann::json::parse(file);
}

// The tokenizer.json of one row of tokenizer_variants.json: its base model with the row's settings.
inline nlohmann::json tokenizer_json(const nlohmann::json& fixture, const nlohmann::json& row) {
  nlohmann::json model = fixture.at("models").at(row.at("model").get<std::string>());
  model.update(row.at("settings"));
  for (const auto& piece : row.at("without")) {
    model.at("vocab").erase(piece.get<std::string>());
    nlohmann::json kept = nlohmann::json::array();
    for (const auto& pair : model.at("merges")) {
      if (pair[0] != piece && pair[1] != piece) kept.push_back(pair);
    }
    model["merges"] = kept;
  }
  if (row.at("merges") == "strings") {
    for (auto& pair : model.at("merges")) pair = pair[0].get<std::string>() + " " + pair[1].get<std::string>();
  }
  nlohmann::json tokenizer = row.at("tokenizer");
  tokenizer["model"] = model;
  return tokenizer;
}

inline nlohmann::json tokenizer_json(const nlohmann::json& fixture, const char* name) {
  for (const auto& row : fixture.at("variants")) {
    if (row.at("name") == name) return tokenizer_json(fixture, row);
  }
  throw std::out_of_range(name);
}

}  // namespace moescope::text
