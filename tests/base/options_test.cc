#include "moescope/base/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace moescope {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

enum class Shade { kLight, kDark };
constexpr auto words_for(Shade) {
  return std::to_array<Word<Shade>>({{Shade::kLight, "light"}, {Shade::kDark, "very_dark"}});
}

struct Inner {
  double share = 0.5;
  void describe(OptionList& list) { list.add("share", share, "of all", {.above = 0, .most = 1}); }
};

struct Sample {
  std::int64_t n_steps = 3;
  std::int32_t small = 1;
  std::uint64_t seed = 1;
  bool shuffle = true;
  std::uint64_t memory = 0;
  std::string dtype = "auto";
  std::filesystem::path out;
  Shade shade = Shade::kLight;
  std::vector<double> densities = {1};
  std::vector<std::string> names;
  std::optional<std::int64_t> windows;
  std::map<std::string, double> shares;
  Inner inner;

  void describe(OptionList& list) {
    list.group("Run");
    list.add("steps", n_steps, "how many", {.unit = "steps", .least = 1});
    list.add("small", small, "a narrow number");
    list.add("seed", seed, "of all that is random");
    list.add("shuffle", shuffle, "in a random order");
    list.add_bytes("memory", memory, "budget", {.in_identity = false, .key = "memory_bytes"});
    list.add("dtype", dtype, "of the run", {.words = {"auto", "float32"}});
    list.add("out", out, "folder", {.required = true, .in_identity = false});
    list.group("More");
    list.add("shade", shade, "of the picture");
    list.add("densities", densities, "all of them", {.above = 0, .most = 1});
    list.add("name-list", names, "all of them", {.excludes = "windows"});
    list.add("windows", windows, "most windows", {.least = 0});
    list.add("shares", shares, "by name");
    list.add_setter("density-range", "first, last", OptionKind::kReal, [this](const OptionValue& value) {
      densities = {real_of(value.items.at(0)), 1};
    });
    inner.describe(list);
  }
};

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(Options, TextsReachFieldsOfEveryType) {
  Sample sample;
  OptionList list = described(sample);
  const auto give = [&](const char* name, const std::vector<std::string>& texts) { list.find(name)->set_texts(texts); };
  give("steps", {"12"});
  give("small", {"-7"});
  give("seed", {"18446744073709551615"});
  give("shuffle", {"false"});
  give("memory", {"1.5Gi"});
  give("dtype", {"float32"});
  give("out", {"a b"});
  give("shade", {"very_dark"});
  give("densities", {"0.25", "1e-3"});
  give("name-list", {"x", "y"});
  give("windows", {"0"});
  give("shares", {"a=b=0.5", "c=1"});
  give("share", {"1"});
  EXPECT_EQ(sample.n_steps, 12);
  EXPECT_EQ(sample.small, -7);
  EXPECT_EQ(sample.seed, ~std::uint64_t{0});
  EXPECT_FALSE(sample.shuffle);
  EXPECT_EQ(sample.memory, 1610612736u);
  EXPECT_EQ(sample.dtype, "float32");
  EXPECT_EQ(sample.out, "a b");
  EXPECT_EQ(sample.shade, Shade::kDark);
  EXPECT_THAT(sample.densities, ElementsAre(0.25, 0.001));
  EXPECT_THAT(sample.names, ElementsAre("x", "y"));
  EXPECT_EQ(sample.windows, 0);
  EXPECT_THAT(sample.shares, ElementsAre(std::pair("a=b", 0.5), std::pair("c", 1.0)));
  EXPECT_EQ(sample.inner.share, 1);
  give("density-range", {"0.5", "0.75"});
  EXPECT_THAT(sample.densities, ElementsAre(0.5, 1));
}

TEST(Options, ValuesAreReadBackAsTheyWereSet) {
  Sample sample;
  OptionList list = described(sample);
  for (const OptionItem& item : {OptionItem(std::int64_t{5}), OptionItem(~std::uint64_t{0})}) {
    list.set("seed", {{item}, false});
    EXPECT_EQ(list.find("seed")->value().items.front(), item);
  }
  EXPECT_TRUE(list.find("windows")->value().items.empty());
  EXPECT_EQ(std::get<std::string>(list.find("shade")->value().items.front()), "light");
  EXPECT_TRUE(list.find("densities")->value().is_list);
}

TEST(Options, WrongValuesAreRefusedByNameAndLeaveTheFieldAsItWas) {
  Sample sample;
  OptionList list = described(sample);
  const auto refused = [&](const char* name, const std::vector<std::string>& texts) {
    return message_of([&] { list.find(name)->set_texts(texts); });
  };
  EXPECT_EQ(refused("steps", {"0"}), "option 'steps' is 0, expected at least 1");
  EXPECT_EQ(refused("steps", {"many"}), "option 'steps': 'many' is not a whole number");
  EXPECT_EQ(refused("steps", {"1.5"}), "option 'steps': '1.5' is not a whole number");
  EXPECT_EQ(refused("steps", {"1", "2"}), "option 'steps' takes one value, not 2");
  EXPECT_EQ(refused("steps", {"99999999999999999999"}), "option 'steps': '99999999999999999999' is not a whole number");
  EXPECT_EQ(refused("small", {"2147483648"}), "option 'small': 2147483648 is beyond what it can hold");
  EXPECT_EQ(refused("seed", {"-1"}), "option 'seed': -1 is negative");
  EXPECT_EQ(refused("shuffle", {"maybe"}), "option 'shuffle': 'maybe' is neither true nor false");
  EXPECT_EQ(refused("share", {"nan"}), "option 'share': nan is not a finite number");
  EXPECT_EQ(refused("share", {"0"}), "option 'share' is 0, expected above 0 and at most 1");
  EXPECT_EQ(refused("densities", {"0.5", "2"}), "option 'densities' is 2, expected above 0 and at most 1");
  EXPECT_EQ(refused("dtype", {"float8"}), "option 'dtype': 'float8' is unknown; one of: auto, float32");
  EXPECT_EQ(refused("shade", {"dark"}), "option 'shade': 'dark' is unknown; one of: light, very_dark");
  EXPECT_THAT(refused("memory", {"8X"}), HasSubstr("option 'memory': '8X' is not a number of bytes"));
  EXPECT_EQ(refused("shares", {"0.5"}), "option 'shares': '0.5' is not of the form NAME=NUMBER");
  EXPECT_EQ(refused("shares", {"a=1", "a=2"}), "option 'shares': 'a=2' is given twice");
  const Sample fresh;
  EXPECT_EQ(sample.n_steps, fresh.n_steps);
  EXPECT_EQ(sample.densities, fresh.densities);
  EXPECT_EQ(sample.inner.share, fresh.inner.share);
  EXPECT_FALSE(list.find("steps")->is_given());
}

TEST(Options, ValuesOfAnotherTypeAreRefused) {
  Sample sample;
  OptionList list = described(sample);
  const auto refused = [&](const char* name, const OptionValue& value) {
    return message_of([&] { list.set(name, value); });
  };
  EXPECT_EQ(refused("steps", {{std::string("5")}, false}), "option 'steps': '5' is not a whole number");
  EXPECT_EQ(refused("steps", {{5.0}, false}), "option 'steps': '5' is not a whole number");
  EXPECT_EQ(refused("steps", {{std::int64_t{5}}, true}), "option 'steps' takes one value, not a list");
  EXPECT_EQ(refused("shuffle", {{std::int64_t{1}}, false}), "option 'shuffle': '1' is neither true nor false");
  EXPECT_EQ(refused("out", {{std::int64_t{1}}, false}), "option 'out': 1 is not a text (write it in quotes)");
  EXPECT_EQ(refused("share", {{true}, false}), "option 'share': 'true' is not a number");
  list.set("share", {{std::int64_t{1}}, false});  // a whole number is a number
  EXPECT_EQ(sample.inner.share, 1);
}

TEST(Options, NamesAreFoundInBothSpellingsAndNearOnesAreTold) {
  Sample sample;
  OptionList list = described(sample);
  list.set("name_list", {{std::string("x")}, true});
  EXPECT_THAT(sample.names, ElementsAre("x"));
  list.set("no-shuffle", {{true}, false});
  EXPECT_FALSE(sample.shuffle);
  EXPECT_EQ(message_of([&] {
              list.set("stepz", {{true}, false});
            }),
            "'stepz' is not a setting (did you mean 'steps'?)");
  EXPECT_EQ(message_of([&] { list.set("no-steps", {{true}, false}); }), "'no-steps' is not a setting");
  EXPECT_EQ(message_of([&] { list.set("frobnicate", {{true}, false}); }), "'frobnicate' is not a setting");
}

TEST(Options, AStructIsCheckedAsAWhole) {
  Sample sample;
  EXPECT_EQ(message_of([&] { check_options(sample); }), "option 'out' is missing (folder)");
  sample.out = "runs";
  check_options(sample);
  sample.inner.share = 1.5;
  EXPECT_EQ(message_of([&] { check_options(sample); }), "option 'share' is 1.5, expected above 0 and at most 1");
  sample.inner.share = 1;
  sample.dtype = "float8";
  EXPECT_THAT(message_of([&] { check_options(sample); }), HasSubstr("option 'dtype': 'float8' is unknown"));
  sample.dtype = "auto";
  sample.windows = -1;
  EXPECT_EQ(message_of([&] { check_options(sample); }), "option 'windows' is -1, expected at least 0");
  sample.windows = {};
  OptionList list = described(sample);
  list.set("name-list", {{std::string("x")}, true});
  list.check();
  list.set("windows", {{std::int64_t{1}}, false});
  EXPECT_EQ(message_of([&] { list.check(); }), "option 'name-list' cannot be given together with option 'windows'");
}

TEST(Options, KeysAreNamesWithUnderscores) {
  Sample sample;
  const OptionList list = described(sample);
  EXPECT_EQ(list.find("name-list")->key(), "name_list");
  EXPECT_EQ(list.find("memory")->key(), "memory_bytes");
}

TEST(Options, TheirNamesInTextsCanBeRewritten) {
  const auto as_flag = [](const std::string& name) { return "--" + name; };
  EXPECT_EQ(rename_options("option 'window' 300 is longer than option 'context' 256", as_flag),
            "--window 300 is longer than --context 256");
  EXPECT_EQ(rename_options("option 'Not One' and option 'torn", as_flag), "option 'Not One' and option 'torn");
  EXPECT_EQ(rename_options(option_name("trace-tokens"), as_flag), "--trace-tokens");
}

TEST(Words, NearOnesAreFoundAndFarOnesAreNot) {
  const std::vector<std::string> words = {"tokens", "context", "text-field", "shuffle"};
  EXPECT_EQ(nearest_word("tokns", words), "tokens");
  EXPECT_EQ(nearest_word("tokesn", words), "tokens");
  EXPECT_EQ(nearest_word("contexts", words), "context");
  EXPECT_EQ(nearest_word("textfield", words), "text-field");
  EXPECT_EQ(nearest_word("banana", words), "");
  EXPECT_EQ(nearest_word("", words), "");
  EXPECT_EQ(parse_word<Shade>("light"), Shade::kLight);
  EXPECT_THROW(parse_word<Shade>("Light"), Error);
}

}  // namespace
}  // namespace moescope
