#include "moescope/io/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <bit>
#include <cmath>
#include <limits>

#include "moescope/base/random.h"
#include "tests/io/temporary_folder.h"

namespace moescope::io {
namespace {

using testing::HasSubstr;

Table example() {
  const auto none = std::nullopt;
  return {
      {{"layer", IntColumn{0, -7, none, std::numeric_limits<std::int64_t>::min()}},
       {"share", RealColumn{0.1, none, 1e-300, -0.0}},
       {"status", TextColumn{"ok", "", none, "a,\"b\"\nc; ä"}},
       {"ids", IntListColumn{std::vector<std::int64_t>{1, -2, 3}, std::vector<std::int64_t>{}, none,
                             std::vector<std::int64_t>{9}}},
       {"scores", RealListColumn{std::vector<double>{0.5}, none, std::vector<double>{}, std::vector<double>{1, 1e9}}}}};
}

void expect_equal(const Table& actual, const Table& expected) {
  ASSERT_EQ(actual.columns.size(), expected.columns.size());
  for (std::size_t i = 0; i < expected.columns.size(); ++i) {
    EXPECT_EQ(actual.columns[i].name, expected.columns[i].name);
    EXPECT_EQ(actual.columns[i].values, expected.columns[i].values) << expected.columns[i].name;
  }
}

TEST(Csv, IsWrittenAfterRfc4180) {
  const TemporaryFolder folder;
  write_csv(folder.path() / "t.csv", example());
  EXPECT_EQ(slurp(folder.path() / "t.csv"),
            "layer,share,status,ids,scores\n"
            "0,0.1,ok,1 -2 3,0.5\n"
            "-7,,\"\",\"\",\n"
            ",1e-300,,,\"\"\n"
            "-9223372036854775808,-0,\"a,\"\"b\"\"\nc; ä\",9,1 1e+09\n");
  expect_equal(read_csv(folder.path() / "t.csv", example()), example());
}

TEST(Csv, RealsReadBackToTheSameDouble) {
  Random random(5);
  RealColumn values;
  while (values.size() < 20'000) {
    const auto value = std::bit_cast<double>(random.next());
    if (std::isfinite(value)) values.emplace_back(value);
  }
  const TemporaryFolder folder;
  const Table table{{{"x", values}}};
  write_csv(folder.path() / "t.csv", table);
  expect_equal(read_csv(folder.path() / "t.csv", table), table);
}

TEST(Csv, ReadsColumnsInAnyOrderAndOtherLineEnds) {
  const TemporaryFolder folder;
  const Table like{{{"a", IntColumn{}}, {"b", TextColumn{}}}};
  const Table read = read_csv(folder.write("t.csv", "b,a\r\n\"x\r\ny\",1\r\n,2"), like);
  expect_equal(read, {{{"a", IntColumn{1, 2}}, {"b", TextColumn{"x\r\ny", std::nullopt}}}});
  expect_equal(read_csv(folder.write("h.csv", "a,b\n"), like), like);
  expect_equal(read_csv(folder.write("one.csv", "a\n1\n\n3\n"), {{{"a", IntColumn{}}}}),
               {{{"a", IntColumn{1, std::nullopt, 3}}}});
}

TEST(Csv, LeavesOtherColumnsUnreadAndLetsSomeBeAbsent) {
  const TemporaryFolder folder;
  const Table like{{{"a", IntColumn{}}, {"b", TextColumn{}, true}}};
  expect_equal(read_csv(folder.write("t.csv", "later,a,b\n\"x, y\",1,p\n,2,q\n"), like),
               {{{"a", IntColumn{1, 2}}, {"b", TextColumn{"p", "q"}}}});
  const Table without = read_csv(folder.write("t.csv", "a\n7\n"), like);
  expect_equal(without, {{{"a", IntColumn{7}}}});
  EXPECT_EQ(without.find("b"), nullptr);
}

TEST(Csv, RejectsBadFilesByLine) {
  const TemporaryFolder folder;
  const Table like{{{"a", IntColumn{}}, {"b", RealColumn{}}, {"c", IntListColumn{}}}};
  const auto bad = [&](const std::string& text) {
    return error_of([&] { read_csv(folder.write("t.csv", text), like); });
  };
  EXPECT_THAT(bad(""), HasSubstr("t.csv, line 1: is empty"));
  EXPECT_THAT(bad("a,b\n"), HasSubstr("t.csv, line 1: no column \"c\""));
  EXPECT_THAT(bad("a,b,c,a\n"), HasSubstr("two columns are named \"a\""));
  EXPECT_THAT(bad("a,b,c,d,d\n"), HasSubstr("two columns are named \"d\""));
  EXPECT_THAT(bad("a,b,c\n1,2\n"), HasSubstr("line 2: 2 fields where the header has 3"));
  EXPECT_THAT(bad("a,b,c\n1,2,3,4\n"), HasSubstr("line 2: 4 fields"));
  EXPECT_THAT(bad("a,b,c\n\n"), HasSubstr("line 2: 1 fields"));
  EXPECT_THAT(bad("a,b,c\n1,\"2\n\",3\nx,1,1\n"), HasSubstr("line 2: column \"b\": \"2\\n\" is not a number"));
  EXPECT_THAT(bad("a,b,c\n1.5,2,3\n"), HasSubstr("column \"a\": \"1.5\" is not a whole number"));
  EXPECT_THAT(bad("a,b,c\n99999999999999999999,2,3\n"), HasSubstr("whole number"));
  EXPECT_THAT(bad("a,b,c\n1,nan,3\n"), HasSubstr("\"nan\" is not a number"));
  EXPECT_THAT(bad("a,b,c\n1,inf,3\n"), HasSubstr("\"inf\" is not a number"));
  EXPECT_THAT(bad("a,b,c\n1, 2,3\n"), HasSubstr("\" 2\" is not a number"));
  EXPECT_THAT(bad("a,b,c\n1,\"\",3\n"), HasSubstr("\"\" is not a number"));
  EXPECT_THAT(bad("a,b,c\n1,2,3 4 \n"), HasSubstr("a list ends with a space"));
  EXPECT_THAT(bad("a,b,c\n1,2,3  4\n"), HasSubstr("whole number"));
  EXPECT_THAT(bad("a,b,c\n1,\"2,3\n"), HasSubstr("does not end"));
  EXPECT_THAT(bad("a,b,c\n1,\"2\"x,3\n"), HasSubstr("behind a quoted field"));
  EXPECT_THAT(bad("a,b,c\n1,2\"3\",3\n"), HasSubstr("a quote inside"));
  EXPECT_THAT(bad("a,b,c\n1,2\r3,3\n"), HasSubstr("carriage return"));
  EXPECT_THAT(bad("a,b,c\n1,2,\xFF\n"), HasSubstr("not UTF-8"));
}

TEST(Table, WritersRefuseTablesThatAreWrong) {
  const TemporaryFolder folder;
  const auto bad = [&](const Table& table) {
    const std::string csv = error_of([&] { write_csv(folder.path() / "t", table); });
    if (parquet_available()) {
      EXPECT_EQ(error_of([&] { write_parquet(folder.path() / "t", table); }), csv);
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    return csv;
  };
  EXPECT_THAT(bad({{{"a", IntColumn{1}}, {"b", IntColumn{}}}}), HasSubstr("column \"b\" has 0 rows, \"a\" has 1"));
  EXPECT_THAT(bad({{{"a", IntColumn{1}}, {"a", IntColumn{1}}}}), HasSubstr("two columns are named \"a\""));
  EXPECT_THAT(bad({{{"", IntColumn{1}}}}), HasSubstr("no name"));
  EXPECT_THAT(bad({{{"a", RealColumn{1.0, std::nan("")}}}}), HasSubstr("column \"a\", row 2: NaN"));
  EXPECT_THAT(bad({{{"a", RealListColumn{std::vector<double>{INFINITY}}}}}), HasSubstr("row 1: NaN or infinity"));
  EXPECT_THAT(bad({{{"a", TextColumn{"\xC3"}}}}), HasSubstr("not UTF-8"));
  EXPECT_THAT(error_of([] { example().at("absent"); }), HasSubstr("no column \"absent\""));
}

#ifdef MOESCOPE_WITH_ARROW
TEST(Parquet, RoundTripsEveryColumnType) {
  const TemporaryFolder folder;
  write_parquet(folder.path() / "t.parquet", example());
  expect_equal(read_parquet(folder.path() / "t.parquet", example()), example());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  const Table empty{{{"a", IntColumn{}}, {"b", RealListColumn{}}}};
  write_parquet(folder.path() / "e.parquet", empty);
  expect_equal(read_parquet(folder.path() / "e.parquet", empty), empty);
}

TEST(Parquet, RoundTripsOverRowGroups) {
  Table table{{{"i", IntColumn{}}, {"list", IntListColumn{}}}};
  for (std::int64_t i = 0; i < 150'000; ++i) {
    std::get<IntColumn>(table.columns[0].values).emplace_back(i);
    std::get<IntListColumn>(table.columns[1].values).emplace_back(std::vector<std::int64_t>{i, i % 7});
  }
  const TemporaryFolder folder;
  write_parquet(folder.path() / "t.parquet", table);
  const Table read = read_parquet(folder.path() / "t.parquet", table);
  EXPECT_TRUE(read.columns[0].values == table.columns[0].values);
  EXPECT_TRUE(read.columns[1].values == table.columns[1].values);
}

TEST(Parquet, ReadsATableOfPyarrow) {
  const Table table = read_parquet(fixture("nulls.parquet"), {{{"number", IntColumn{}}, {"text", TextColumn{}}}});
  expect_equal(table, {{{"number", IntColumn{1, 2, 3, 4}}, {"text", TextColumn{"a", std::nullopt, "", "b"}}}});
}

TEST(Parquet, RejectsOtherColumnsAndTypes) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "t.parquet";
  write_parquet(path, Table{{{"a", IntColumn{1}}, {"b", IntListColumn{std::vector<std::int64_t>{1}}}}});
  const auto bad = [&](const Table& like) { return error_of([&] { read_parquet(path, like); }); };
  expect_equal(read_parquet(path, {{{"absent", TextColumn{}, true}, {"a", IntColumn{}}}}), {{{"a", IntColumn{1}}}});
  EXPECT_THAT(bad({{{"a", RealColumn{}}, {"b", IntListColumn{}}}}),
              HasSubstr("column \"a\": is of type int64, expected double"));
  EXPECT_THAT(bad({{{"a", IntColumn{}}, {"b", RealListColumn{}}}}), HasSubstr("expected list of double"));
  EXPECT_THAT(bad({{{"a", IntColumn{}}, {"b", IntListColumn{}}, {"c", IntColumn{}}}}), HasSubstr("no column \"c\""));
  const std::string whole = slurp(path);
  for (std::size_t size = 0; size < whole.size(); size += 97) {
    folder.write("t.parquet", std::string_view(whole).substr(0, size));
    EXPECT_THAT(bad({{{"a", IntColumn{}}, {"b", IntListColumn{}}}}), HasSubstr("t.parquet"));
  }
}

TEST(Parquet, AFullDiskIsAnEnvironmentErrorThatLeavesNoFile) {
  Table table{{{"i", IntColumn{}}}};
  Random random(1);
  for (int i = 0; i < 10'000; ++i) {
    std::get<IntColumn>(table.columns[0].values).emplace_back(static_cast<std::int64_t>(random.next() >> 1));
  }
  const TemporaryFolder folder;
  void (*old_handler)(int) = ::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit limit{4096, old_limit.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const std::string parquet =
      error_of([&] { write_parquet(folder.path() / "t.parquet", table); }, ErrorKind::kEnvironment);
  const std::string csv = error_of([&] { write_csv(folder.path() / "t.csv", table); }, ErrorKind::kEnvironment);
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(parquet, HasSubstr("disk full"));
  EXPECT_THAT(csv, HasSubstr("disk full"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}
#endif

}  // namespace
}  // namespace moescope::io
