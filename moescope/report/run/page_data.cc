#include "moescope/report/run/page_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>

#include "moescope/report/run/bytes.h"
#include "moescope/report/run/escape.h"
#include "moescope/report/run/evidence_lines.h"
#include "moescope/report/run/token_dictionary.h"
#include "moescope/report/run/token_tables.h"

namespace moescope::report {

namespace {

using nlohmann::json;

// Six significant digits: more than the page shows. The tables beside it hold every digit.
double rounded(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value, std::chars_format::general, 6).ptr;
  double out = value;
  std::from_chars(text, end, out);
  return out;
}

json number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? json(rounded(*value)) : json(nullptr);
}

json number(const std::optional<std::int64_t>& value) { return value ? json(*value) : json(nullptr); }

void round_numbers(json& value) {
  if (value.is_number_float()) value = number(std::optional<double>(value.get<double>()));
  if (value.is_structured()) {
    for (json& inner : value) round_numbers(inner);
  }
}

template <typename Row, typename Value>
json column(const std::vector<Row>& rows, Value Row::*member) {
  json out = json::array();
  for (const Row& row : rows) {
    if constexpr (std::is_same_v<Value, std::string>) {
      out.push_back(row.*member);
    } else {
      out.push_back(number(row.*member));
    }
  }
  return out;
}

json expert_columns(const ReportedRun& data) {
  json entropy = json::array();
  for (const auto& bits : input_entropy_bits(data)) entropy.push_back(number(bits));
  return {{"status", column(data.experts, &ReportedExpert::status)},
          {"n_tokens", column(data.experts, &ReportedExpert::n_tokens)},
          {"n_windows", column(data.experts, &ReportedExpert::n_windows)},
          {"load_frac", column(data.experts, &ReportedExpert::load_frac)},
          {"mean_weight", column(data.experts, &ReportedExpert::mean_weight)},
          {"mean_score", column(data.experts, &ReportedExpert::mean_score)},
          {"mean_output_norm", column(data.experts, &ReportedExpert::mean_output_norm)},
          {"active_neuron_frac", column(data.experts, &ReportedExpert::active_neuron_frac)},
          {"active_neuron_frac_01", column(data.experts, &ReportedExpert::active_neuron_frac_01)},
          {"input_entropy_bits", std::move(entropy)}};
}

json layer_columns(const ReportedRun& data) {
  return {{"n_tokens", column(data.layers, &ReportedLayer::n_tokens)},
          {"n_never_used", column(data.layers, &ReportedLayer::n_never_used)},
          {"router_entropy_bits", column(data.layers, &ReportedLayer::router_entropy_bits)},
          {"router_margin", column(data.layers, &ReportedLayer::router_margin)},
          {"load_entropy_bits", column(data.layers, &ReportedLayer::load_entropy_bits)},
          {"load_max_over_mean", column(data.layers, &ReportedLayer::load_max_over_mean)}};
}

// The numbers of the labels that the first view needs, one column each.
json label_columns(const ReportedRun& data) {
  const auto at = [](const json& label, std::initializer_list<const char*> path) {
    const json* value = &label;
    for (const char* key : path) {
      if (!value->is_object() || !value->contains(key)) return json(nullptr);
      value = &value->at(key);
    }
    return value->is_number_float() ? number(std::optional<double>(value->get<double>())) : *value;
  };
  json out = {{"status", json::array()}, {"short", json::array()},       {"f1", json::array()},
              {"f1_low", json::array()}, {"f1_high", json::array()},     {"n_positive", json::array()},
              {"tokens", json::array()}, {"tokens_high", json::array()}, {"tokens_low", json::array()},
              {"random", json::array()}, {"always", json::array()},      {"beats_both", json::array()}};
  for (const json& label : data.labels) {
    out["status"].push_back(at(label, {"status"}));
    out["short"].push_back(at(label, {"short_label"}));
    out["f1"].push_back(at(label, {"scores", "rule", "f1"}));
    out["f1_low"].push_back(at(label, {"scores", "rule", "f1_low"}));
    out["f1_high"].push_back(at(label, {"scores", "rule", "f1_high"}));
    out["n_positive"].push_back(at(label, {"scores", "rule", "n_positive"}));
    out["tokens"].push_back(at(label, {"scores", "most_frequent_tokens", "f1"}));
    out["tokens_low"].push_back(at(label, {"scores", "most_frequent_tokens", "f1_low"}));
    out["tokens_high"].push_back(at(label, {"scores", "most_frequent_tokens", "f1_high"}));
    out["random"].push_back(at(label, {"scores", "random_expert", "f1"}));
    out["always"].push_back(at(label, {"scores", "always", "f1"}));
    out["beats_both"].push_back(at(label, {"beats_both"}));
  }
  return out;
}

json files_beside(const ReportedRun& data) {
  json names = json::array();
  for (const char* name :
       {"run.json", "experts.csv", "experts.parquet", "layers.csv", "layers.parquet", "domains.csv", "domains.parquet",
        "labels.jsonl", "label_summary.json", "evidence.safetensors", "evidence.parquet", "coactivation.safetensors",
        "input_tokens.safetensors", "trace.safetensors", "documents.jsonl", "vocabulary.json"}) {
    if (std::filesystem::exists(data.folder / name)) names.push_back(name);
  }
  return names;
}

json labels_for_page(const ReportedRun& data) {
  json out = json::array();
  for (const json& label : data.labels) {
    json kept = label;
    if (kept.is_object()) {
      for (const char* key : {"evidence_rows", "layer", "expert", "kind"}) kept.erase(key);
    }
    round_numbers(kept);
    out.push_back(std::move(kept));
  }
  return out;
}

std::string domain_lines(const ReportedRun& data, std::int64_t n_listed) {
  std::string out = script_json(data.domains) + "\n";
  for (const auto& all : data.by_domain) {
    std::vector<DomainCount> list = all;
    std::stable_sort(list.begin(), list.end(),
                     [](const DomainCount& a, const DomainCount& b) { return a.n_tokens > b.n_tokens; });
    json rows = json::array();
    const std::size_t n = std::min(list.size(), static_cast<std::size_t>(n_listed));
    for (std::size_t i = 0; i < n; ++i) {
      rows.push_back({list[i].domain_idx, list[i].n_tokens, number(list[i].share_of_domain_frac)});
    }
    out += script_json({{"rows", std::move(rows)}, {"n_more", list.size() - n}}) + "\n";
  }
  return out;
}

std::string triangle(const std::vector<std::int64_t>& counts, std::size_t n) {
  ByteWriter out;
  for (std::size_t i = 0; i < counts.size() / n; ++i) {
    for (std::size_t j = i; j < n; ++j) out.varint(static_cast<std::uint64_t>(counts[i * n + j]));
  }
  return base64(out.bytes());
}

// Twelve partners of every expert, most frequent first.
std::string neighbour_lines(const ReportedRun& data) {
  constexpr std::size_t kNeighbours = 12;
  const auto n = static_cast<std::size_t>(data.n_experts);
  std::string out;
  for (const auto& counts : data.coactivation) {
    for (std::size_t i = 0; i < n; ++i) {
      std::vector<std::pair<std::int64_t, std::size_t>> partners;
      for (std::size_t j = 0; j < n && !counts.empty(); ++j) {
        if (j != i) partners.push_back({-counts[i * n + j], j});
      }
      const std::size_t n_kept = std::min(kNeighbours, partners.size());
      std::partial_sort(partners.begin(), partners.begin() + static_cast<std::ptrdiff_t>(n_kept), partners.end());
      ByteWriter line;
      for (std::size_t k = 0; k < n_kept; ++k) {
        line.varint(partners[k].second);
        line.varint(static_cast<std::uint64_t>(-partners[k].first));
      }
      out += base64(line.bytes()) + "\n";
    }
  }
  return out;
}

void add_coactivation(const ReportedRun& data, const PageDataOptions& options, std::vector<PageBlock>& blocks) {
  std::vector<PageBlock> triangles;
  std::uint64_t n_bytes = 0;
  for (std::size_t layer = 0; layer < data.coactivation.size(); ++layer) {
    triangles.push_back({fmt::format("coactivation-{}", layer), false,
                         triangle(data.coactivation[layer], static_cast<std::size_t>(data.n_experts))});
    n_bytes += triangles.back().text.size();
  }
  if (n_bytes <= options.max_coactivation_bytes) {
    std::move(triangles.begin(), triangles.end(), std::back_inserter(blocks));
  } else {
    blocks.push_back({"neighbours", false, neighbour_lines(data)});
  }
}

std::string listed_token_lines(const std::vector<std::vector<ListedToken>>& lists, const TokenDictionary& dictionary) {
  std::string out;
  for (const auto& list : lists) {
    ByteWriter line;
    for (const ListedToken& token : list) {
      line.varint(dictionary.local(token.token_id));
      line.varint(static_cast<std::uint64_t>(token.n_here));
      line.varint(static_cast<std::uint64_t>(token.n_layer));
    }
    out += base64(line.bytes()) + "\n";
  }
  return out;
}

std::string indexed_token_lines(const std::vector<IndexedToken>& tokens, const TokenDictionary& dictionary) {
  std::string out;
  for (const IndexedToken& token : tokens) {
    ByteWriter line;
    line.varint(dictionary.local(token.token_id));
    line.varint(static_cast<std::uint64_t>(token.n_occurrences));
    for (const auto& experts : token.layers) {
      line.varint(experts.size());
      for (const TokenTally& expert : experts) {
        line.varint(static_cast<std::uint64_t>(expert.token_id));
        line.varint(static_cast<std::uint64_t>(expert.n));
      }
    }
    out += base64(line.bytes()) + "\n";
  }
  return out;
}

json pieces_for_page(const ReportedRun& data, const TokenDictionary& dictionary) {
  json pieces = json::array();
  ByteWriter ids;
  for (const std::int32_t id : dictionary.ids()) {
    pieces.push_back(data.pieces[static_cast<std::size_t>(id)]);
    ids.varint(static_cast<std::uint64_t>(id));
  }
  return {{"pieces", std::move(pieces)}, {"ids", base64(ids.bytes())}};
}

// Numbers the documents of the windows shown and lists them for the page.
json documents_for_page(const ReportedRun& data, const std::vector<std::vector<std::int64_t>>& shown,
                        std::map<std::int32_t, std::uint64_t>& number_of) {
  for (const auto& rows : shown) {
    for (const std::int64_t row : rows) number_of[data.evidence->doc_idx[static_cast<std::size_t>(row)]] = 0;
  }
  std::map<std::string, std::size_t> domains;
  json out = {{"doc_idx", json::array()}, {"id", json::array()}, {"domain", json::array()}, {"domains", json::array()}};
  for (auto& [doc_idx, n] : number_of) {
    n = out["doc_idx"].size();
    const auto head = data.documents.find(doc_idx);
    const std::string domain = head == data.documents.end() ? "" : head->second.domain;
    const auto [entry, is_new] = domains.try_emplace(domain, domains.size());
    if (is_new) out["domains"].push_back(domain);
    out["doc_idx"].push_back(doc_idx);
    out["id"].push_back(head == data.documents.end() ? json(nullptr) : json(head->second.id));
    out["domain"].push_back(entry->second);
  }
  return out;
}

}  // namespace

PageData make_page_data(const ReportedRun& data, const PageDataOptions& options) {
  const auto shown = choose_windows(data, options.max_windows_per_kind);
  const auto listed = listed_tokens(data, options.n_listed_tokens);
  const auto indexed = indexed_tokens(data, options.n_indexed_tokens, options.n_experts_per_indexed_token);
  TokenDictionary dictionary(data.pieces.size());
  if (data.evidence) use_window_tokens(*data.evidence, shown, dictionary);
  for (const auto& list : listed) {
    for (const ListedToken& token : list) dictionary.use(token.token_id);
  }
  for (const IndexedToken& token : indexed) dictionary.use(token.token_id);
  dictionary.freeze();

  PageData page;
  page.n_windows = data.evidence ? data.evidence->n_windows : 0;
  for (const auto& rows : shown) page.n_windows_shown += static_cast<std::int64_t>(rows.size());
  json core = {{"run", data.run},
               {"sizes",
                {{"layers", data.n_layers},
                 {"experts", data.n_columns()},
                 {"routed", data.n_experts},
                 {"per_token", data.n_experts_per_token}}},
               {"experts", expert_columns(data)},
               {"layers", data.layers.empty() ? json(nullptr) : layer_columns(data)},
               {"labels", data.labels.empty() ? json(nullptr) : label_columns(data)},
               {"summary", data.label_summary},
               {"missing", data.missing},
               {"files", files_beside(data)},
               {"linked", options.link_files},
               {"windows", {{"n", page.n_windows}, {"n_shown", page.n_windows_shown}}}};
  page.blocks.push_back({"core", true, script_json(core)});
  page.blocks.push_back({"pieces", true, script_json(pieces_for_page(data, dictionary))});
  if (!data.labels.empty()) page.blocks.push_back({"labels", true, script_json(labels_for_page(data))});
  if (!data.by_domain.empty()) {
    page.blocks.push_back({"domains", false, domain_lines(data, options.n_listed_domains)});
  }
  if (!listed.empty()) {
    page.blocks.push_back({"input-tokens", false, listed_token_lines(listed, dictionary)});
    page.blocks.push_back({"tokens", false, indexed_token_lines(indexed, dictionary)});
  }
  add_coactivation(data, options, page.blocks);
  if (data.evidence) {
    std::map<std::int32_t, std::uint64_t> document_of;
    page.blocks.push_back({"documents", true, script_json(documents_for_page(data, shown, document_of))});
    for (int layer = 0; layer < data.n_layers; ++layer) {
      std::string lines;
      for (int expert = 0; expert < data.n_columns(); ++expert) {
        lines += evidence_line(*data.evidence, shown[data.expert_idx(layer, expert)], dictionary, document_of) + "\n";
      }
      page.blocks.push_back({fmt::format("evidence-{}", layer), false, std::move(lines)});
    }
  }
  for (const PageBlock& block : page.blocks) page.n_bytes += block.text.size();
  return page;
}

}  // namespace moescope::report
