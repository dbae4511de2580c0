// What the page holds, against the run it was made from.
#include "moescope/report/run/page_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/report/run/page_reader.h"
#include "tests/report/run/synthetic_run.h"
#include "tests/report/test_folder.h"

namespace moescope::report {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::Not;
using testing::SyntheticEvidence;
using testing::SyntheticRun;
using testing::SyntheticRunOptions;
using testing::TestFolder;

std::map<std::string, std::string> blocks_of(const PageData& page) {
  std::map<std::string, std::string> blocks;
  for (const PageBlock& block : page.blocks) blocks[block.name] = block.text;
  return blocks;
}

std::vector<std::int64_t> vocabulary_ids(const json& pieces) {
  testing::PageBytes bytes(pieces.at("ids").get<std::string>());
  std::vector<std::int64_t> ids;
  while (!bytes.at_end()) ids.push_back(bytes.varint());
  return ids;
}

class PageDataOfARun : public ::testing::Test {
 protected:
  PageDataOfARun() : run_(SyntheticRunOptions()) { run_.write(folder_.path()); }

  TestFolder folder_;
  SyntheticRun run_;
};

void expect_window(const testing::PageWindow& window, const SyntheticEvidence& evidence, std::size_t w, std::size_t s,
                   const std::vector<std::int64_t>& ids) {
  EXPECT_EQ(window.kind, evidence.kind[w]);
  EXPECT_EQ(window.decile, evidence.decile[w]);
  EXPECT_EQ(window.position, evidence.position[w]);
  ASSERT_EQ(window.tokens.size(), s);
  for (std::size_t t = 0; t < s; ++t) {
    EXPECT_EQ(ids.at(static_cast<std::size_t>(window.tokens[t])), evidence.token_ids[w * s + t]);
    const auto score = static_cast<double>(evidence.scores[w * s + t]);
    EXPECT_NEAR(window.scores[t], score, 1e-3) << "16 bits of the largest score";
    EXPECT_EQ(window.scores[t] > 0, score > 0) << "routed here or not is exact";
  }
  for (std::size_t i = 0; i < 5; ++i) {
    const std::int32_t at = evidence.strongest[w * 5 + i];
    if (at < 0) continue;
    const auto& promoted = window.promoted.at(at);
    for (std::size_t p = 0; p < 3; ++p) {
      EXPECT_EQ(ids.at(static_cast<std::size_t>(promoted[p] - 1)), evidence.promoted[(w * 5 + i) * 3 + p]);
    }
  }
}

TEST_F(PageDataOfARun, HoldsEveryWindowAsItStandsInTheRun) {
  const auto blocks = blocks_of(make_page_data(read_reported_run(folder_.path())));
  const json pieces = json::parse(blocks.at("pieces")), documents = json::parse(blocks.at("documents"));
  const auto ids = vocabulary_ids(pieces);
  ASSERT_EQ(pieces.at("pieces").size(), ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(pieces.at("pieces")[i], run_.pieces()[static_cast<std::size_t>(ids[i])]);
  }
  const SyntheticEvidence& evidence = run_.evidence();
  std::size_t w = 0;  // the page keeps the order of the file
  for (int layer = 0; layer < 2; ++layer) {
    const auto lines = testing::lines_of(blocks.at("evidence-" + std::to_string(layer)));
    ASSERT_EQ(lines.size(), 8u);
    for (const std::string& line : lines) {
      for (const testing::PageWindow& window : testing::evidence_of(line)) {
        expect_window(window, evidence, w, 16, ids);
        EXPECT_EQ(documents.at("doc_idx")[static_cast<std::size_t>(window.document)], evidence.doc_idx[w]);
        const auto& document = run_.documents()[static_cast<std::size_t>(evidence.doc_idx[w])];
        EXPECT_EQ(documents.at("id")[static_cast<std::size_t>(window.document)], document.id);
        ++w;
      }
    }
  }
  EXPECT_EQ(w, evidence.layer.size());
}

TEST_F(PageDataOfARun, HoldsNumbersAsNumbersAndMissingOnesAsNull) {
  const json core = json::parse(blocks_of(make_page_data(read_reported_run(folder_.path()))).at("core"));
  const json& experts = core.at("experts");
  EXPECT_EQ(experts.at("status")[7], "never") << "the last expert of layer 0 gets no token";
  EXPECT_EQ(experts.at("n_tokens")[7], 0);
  EXPECT_TRUE(experts.at("mean_output_norm")[7].is_null());
  EXPECT_TRUE(experts.at("input_entropy_bits")[7].is_null());
  EXPECT_EQ(experts.at("status")[6], "rare");
  EXPECT_GT(experts.at("mean_output_norm")[8].get<double>(), 0);
  EXPECT_EQ(core.at("labels").at("status")[7], "too_few");
  EXPECT_TRUE(core.at("labels").at("f1")[7].is_null());
  EXPECT_EQ(core.at("layers").at("n_tokens")[1], 12 * 304);
  EXPECT_TRUE(core.at("missing").empty());
}

TEST_F(PageDataOfARun, GivesASharedExpertAColumnOfItsOwn) {
  const auto before = blocks_of(make_page_data(read_reported_run(folder_.path())));
  const json was = json::parse(before.at("core"));
  testing::replace_in(folder_ / "run.json", "\"d_model\"", "\"d_shared\": 32, \"d_model\"");
  std::ofstream(folder_ / "experts.csv", std::ios::app)
      << "1,8,3648,,0.5,1.5,3.25,0.5,0.25,76,ok\n";  // behind experts 0 to 7, without a share of the router's choices
  const auto blocks = blocks_of(make_page_data(read_reported_run(folder_.path())));
  const json core = json::parse(blocks.at("core"));
  EXPECT_EQ(core.at("sizes"), (json{{"layers", 2}, {"experts", 9}, {"routed", 8}, {"per_token", 2}}));
  const json& experts = core.at("experts");
  ASSERT_EQ(experts.at("n_tokens").size(), 18u);
  EXPECT_EQ(experts.at("n_tokens")[17], 3648);
  EXPECT_TRUE(experts.at("load_frac")[17].is_null());
  EXPECT_EQ(experts.at("mean_output_norm")[17], 3.25);
  EXPECT_EQ(experts.at("status")[8], "not_recorded") << "a layer without a shared expert";
  for (std::size_t layer : {0u, 1u}) {
    for (std::size_t e = 0; e < 8; ++e) {
      for (const char* key : {"n_tokens", "load_frac", "input_entropy_bits", "status"}) {
        EXPECT_EQ(experts.at(key)[layer * 9 + e], was.at("experts").at(key)[layer * 8 + e]) << key;
      }
    }
  }
  EXPECT_EQ(blocks.at("coactivation-1"), before.at("coactivation-1"));
  EXPECT_EQ(blocks.at("tokens"), before.at("tokens"));
  EXPECT_EQ(testing::lines_of(blocks.at("evidence-1")).size(), 9u);
}

TEST_F(PageDataOfARun, HoldsCoactivationAsAnUpperTriangle) {
  const auto blocks = blocks_of(make_page_data(read_reported_run(folder_.path())));
  testing::PageBytes bytes(blocks.at("coactivation-1"));
  std::int64_t sum = 0;
  for (int i = 0; i < 8; ++i) {
    for (int j = i; j < 8; ++j) {
      const std::int64_t count = bytes.varint();
      if (i == j) {
        EXPECT_EQ(count, run_.n_tokens(1, i));
      } else {
        sum += count;
      }
    }
  }
  EXPECT_TRUE(bytes.at_end());
  EXPECT_EQ(sum, 12 * 304) << "two experts a token make one pair a token";
}

TEST_F(PageDataOfARun, KeepsNeighboursWhereTheTrianglesAreTooLarge) {
  PageDataOptions options;
  options.max_coactivation_bytes = 10;
  const auto blocks = blocks_of(make_page_data(read_reported_run(folder_.path()), options));
  EXPECT_EQ(blocks.count("coactivation-0"), 0u);
  const auto lines = testing::lines_of(blocks.at("neighbours"));
  ASSERT_EQ(lines.size(), 16u);
  testing::PageBytes bytes(lines[9]);
  std::int64_t last = INT64_MAX, sum = 0;
  while (!bytes.at_end()) {
    EXPECT_NE(bytes.varint(), 1) << "not itself";
    const std::int64_t n = bytes.varint();
    EXPECT_LE(n, last);
    sum += last = n;
  }
  EXPECT_EQ(sum, run_.n_tokens(1, 1)) << "every token of the expert meets one other";
}

TEST_F(PageDataOfARun, CountsTokensOfTheWholeRun) {
  const auto blocks = blocks_of(make_page_data(read_reported_run(folder_.path())));
  const auto ids = vocabulary_ids(json::parse(blocks.at("pieces")));
  std::map<std::int64_t, std::int64_t> seen;
  for (const auto& document : run_.documents()) {
    for (const std::int32_t id : document.tokens) ++seen[id];
  }
  const auto lines = testing::lines_of(blocks.at("tokens"));
  EXPECT_EQ(lines.size(), seen.size());
  for (const std::string& line : lines) {
    testing::PageBytes bytes(line);
    const std::int64_t id = ids.at(static_cast<std::size_t>(bytes.varint()));
    EXPECT_EQ(bytes.varint(), seen.at(id)) << "token " << id;
  }
}

TEST_F(PageDataOfARun, WithFewerWindowsKeepsTheStrongestAndSpreadsTheSample) {
  PageDataOptions options;
  options.max_windows_per_kind = 5;
  const PageData page = make_page_data(read_reported_run(folder_.path()), options);
  const auto windows = testing::evidence_of(testing::lines_of(blocks_of(page).at("evidence-1"))[0]);
  ASSERT_EQ(windows.size(), 10u);
  std::vector<int> deciles;
  for (const auto& window : windows) deciles.push_back(window.decile);
  EXPECT_EQ(deciles, (std::vector<int>{-1, -1, -1, -1, -1, 9, 7, 5, 3, 1}));
  EXPECT_LT(page.n_windows_shown, page.n_windows);
}

TEST(PageDataOfAHostileRun, CannotEndItsElements) {
  const TestFolder folder;
  SyntheticRunOptions options;
  const std::string attack = "</script><script>window.broken=1</script><!--<script>";
  options.model_name = attack;
  options.label_text = attack;
  for (std::int32_t id = 1; id < 60; ++id) options.other_pieces[id] = attack;
  options.other_pieces[60] = std::string("\0\xE2\x80\xA8\xE2\x80\xAE\xED\xA0\x80", 10);
  SyntheticRun(options).write(folder.path());
  for (const PageBlock& block : make_page_data(read_reported_run(folder.path())).blocks) {
    EXPECT_THAT(block.text, Not(Contains('<'))) << block.name;
    EXPECT_THAT(block.text, Not(Contains('\0'))) << block.name;
    EXPECT_TRUE(!block.is_json || json::accept(block.text)) << block.name;
  }
}

}  // namespace
}  // namespace moescope::report
