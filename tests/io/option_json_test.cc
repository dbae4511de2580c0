#include "moescope/io/option_json.h"

#include <gtest/gtest.h>

namespace moescope::io {
namespace {

struct Sample {
  std::int64_t n_steps = 3;
  std::uint64_t seed = ~std::uint64_t{0}, memory = 5;
  double share = 0.1;
  bool shuffle = true;
  std::filesystem::path out = "runs/a";
  std::vector<std::string> domains = {"a", "b"};
  std::optional<std::int64_t> windows;

  void describe(OptionList& list) {
    list.add("trace-steps", n_steps, "");
    list.add("seed", seed, "");
    list.add_bytes("memory", memory, "", {.in_identity = false, .key = "memory_bytes"});
    list.add("share", share, "");
    list.add("shuffle", shuffle, "");
    list.add("out", out, "", {.in_identity = false});
    list.add("domains", domains, "");
    list.add("windows", windows, "");
    list.add_setter("other", "", OptionKind::kText, [](const OptionValue&) {});
  }
};

TEST(OptionJson, HoldsEveryOptionByItsKeyAndType) {
  EXPECT_EQ(settings_json(Sample()), nlohmann::json::parse(R"({"trace_steps": 3, "seed": 18446744073709551615,
      "memory_bytes": 5, "share": 0.1, "shuffle": true, "out": "runs/a", "domains": ["a", "b"], "windows": null})"));
  EXPECT_EQ(settings_json(Sample()).at("trace_steps").type(), nlohmann::json(std::int64_t{3}).type());
}

TEST(OptionJson, OfTheIdentityLeavesOutWhatResultsDoNotDependOn) {
  const nlohmann::json identity = settings_json(Sample(), OptionChoice::kIdentity);
  EXPECT_FALSE(identity.contains("out"));
  EXPECT_FALSE(identity.contains("memory_bytes"));
  EXPECT_EQ(identity.size(), settings_json(Sample()).size() - 2);
}

}  // namespace
}  // namespace moescope::io
