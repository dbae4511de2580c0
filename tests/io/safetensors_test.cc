#include "moescope/io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

#include "moescope/base/random.h"
#include "tests/io/temporary_folder.h"

namespace moescope::io {
namespace {

using testing::HasSubstr;

// The bytes of a file with this header text and so many zero bytes of data.
std::string raw_file(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + std::string(data_bytes, '\0');
}

std::string open_error(const std::string& bytes) {
  const TemporaryFolder folder;
  const auto path = folder.write("m.safetensors", bytes);
  const std::string message = error_of([&] { SafetensorsFile::open(path); });
  EXPECT_THAT(message, HasSubstr(path.string()));
  return message;
}

std::string header_error(const std::string& header, std::size_t data_bytes) {
  return open_error(raw_file(header, data_bytes));
}

TEST(Safetensors, ReadsEveryTensorOfAFileOfTheReferenceWriter) {
  const auto expected = nlohmann::json::parse(slurp(fixture("reference.safetensors.json")));
  const auto file = SafetensorsFile::open(fixture("reference.safetensors"));
  ASSERT_EQ(file.tensors().size(), expected.at("tensors").size());
  for (const auto& [name, tensor] : expected.at("tensors").items()) {
    const TensorView& view = file.at(name);
    EXPECT_EQ(dtype_name(view.dtype), tensor.at("dtype").get<std::string>()) << name;
    EXPECT_EQ(view.shape, tensor.at("shape").get<std::vector<std::int64_t>>()) << name;
    std::vector<int> bytes;
    for (const std::byte byte : view.bytes) bytes.push_back(std::to_integer<int>(byte));
    EXPECT_EQ(bytes, tensor.at("bytes").get<std::vector<int>>()) << name;
  }
  const auto expected_metadata = expected.at("metadata").get<std::map<std::string, std::string>>();
  EXPECT_EQ(file.metadata(), expected_metadata);
}

TEST(Safetensors, WritesTheSameBytesAsTheReferenceWriter) {
  const auto source = SafetensorsFile::open(fixture("reference.safetensors"));
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, view] : source.tensors()) tensors.push_back({name, view.dtype, view.shape, view.bytes});
  const TemporaryFolder folder;
  const auto path = folder.path() / "again.safetensors";
  write_safetensors(path, tensors, source.metadata());
  EXPECT_EQ(slurp(path), slurp(fixture("reference.safetensors")));
}

TEST(Safetensors, RoundTripsEveryDTypeAlignedToItsWidth) {
  const DType all[] = {DType::kBool,   DType::kU8,         DType::kI8,         DType::kF8E4M3, DType::kF8E5M2,
                       DType::kF8E8M0, DType::kF8E4M3Fnuz, DType::kF8E5M2Fnuz, DType::kF6E2M3, DType::kF6E3M2,
                       DType::kF4,     DType::kI16,        DType::kU16,        DType::kF16,    DType::kBF16,
                       DType::kI32,    DType::kU32,        DType::kF32,        DType::kC64,    DType::kI64,
                       DType::kU64,    DType::kF64};
  Random random(7);
  std::vector<std::vector<std::byte>> data;
  std::vector<TensorToWrite> tensors;
  for (const DType dtype : all) {
    EXPECT_EQ(parse_dtype(dtype_name(dtype)), dtype);
    // 12 elements are whole bytes for every width.
    data.emplace_back(static_cast<std::size_t>(12 * dtype_bits(dtype) / 8));
    for (std::byte& byte : data.back()) byte = static_cast<std::byte>(random.below(256));
    tensors.push_back({std::string("t.") + dtype_name(dtype), dtype, {3, 4}, data.back()});
  }
  const TemporaryFolder folder;
  write_safetensors(folder.path() / "all.safetensors", tensors, {{"format", "pt"}});
  const auto file = SafetensorsFile::open(folder.path() / "all.safetensors");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorView& view = file.at(tensors[i].name);
    EXPECT_EQ(view.dtype, tensors[i].dtype);
    EXPECT_EQ(view.n_elements(), 12);
    EXPECT_TRUE(std::equal(view.bytes.begin(), view.bytes.end(), data[i].begin(), data[i].end())) << view.name;
    if (dtype_bits(view.dtype) >= 8) {
      const auto width = static_cast<std::size_t>(dtype_bits(view.dtype) / 8);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.bytes.data()) % std::min<std::size_t>(width, 8), 0u) << view.name;
    }
  }
}

TEST(Safetensors, KeepsScalarsAndEmptyTensors) {
  const std::vector<float> scalar = {2.5F}, none;
  const TemporaryFolder folder;
  const auto path = folder.path() / "m.safetensors";
  write_safetensors(path, std::vector<TensorToWrite>{tensor_to_write("scalar", {}, scalar),
                                                     tensor_to_write("none", {4, 0, 1'000'000'000'000}, none)});
  const auto file = SafetensorsFile::open(path);
  EXPECT_EQ(file.at("scalar").to_vector<float>(), scalar);
  EXPECT_EQ(file.at("scalar").n_elements(), 1);
  EXPECT_EQ(file.at("none").to_vector<float>(), none);
  EXPECT_EQ(file.total_bytes(), 4u);
}

TEST(Safetensors, AFileWithoutTensorsIsEmpty) {
  const TemporaryFolder folder;
  write_safetensors(folder.path() / "m.safetensors", {});
  EXPECT_TRUE(SafetensorsFile::open(folder.path() / "m.safetensors").tensors().empty());
}

TEST(Safetensors, ToVectorRefusesAnotherType) {
  const TemporaryFolder folder;
  const std::vector<std::int32_t> values = {1, 2};
  write_safetensors(folder.path() / "m.safetensors", std::vector{tensor_to_write("ids", {2}, values)});
  const auto file = SafetensorsFile::open(folder.path() / "m.safetensors");
  EXPECT_EQ(file.at("ids").to_vector<std::int32_t>(), values);
  EXPECT_THAT(error_of([&] { file.at("ids").to_vector<float>(); }), HasSubstr("tensor \"ids\" is I32, expected F32"));
  EXPECT_THAT(error_of([&] { file.at("absent"); }), HasSubstr("no tensor \"absent\""));
}

TEST(Safetensors, ATensorOutlivesItsFileObject) {
  const TemporaryFolder folder;
  const std::vector<double> values = {1.0, -2.0};
  write_safetensors(folder.path() / "m.safetensors", std::vector{tensor_to_write("x", {2}, values)});
  const TensorView view = SafetensorsFile::open(folder.path() / "m.safetensors").at("x");
  EXPECT_EQ(view.to_vector<double>(), values);
}

TEST(Safetensors, RejectsFilesThatAreNotThere) {
  EXPECT_THAT(error_of([] { SafetensorsFile::open("/nowhere/m.safetensors"); }), HasSubstr("cannot open"));
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { SafetensorsFile::open(folder.path()); }), HasSubstr("not a regular file"));
}

TEST(Safetensors, RejectsTruncationAnywhere) {
  const std::string whole = slurp(fixture("reference.safetensors"));
  const TemporaryFolder folder;
  for (std::size_t size = 0; size < whole.size(); size += size + 20 < whole.size() ? 17 : 1) {
    const auto path = folder.write("m.safetensors", std::string_view(whole).substr(0, size));
    EXPECT_THROW(SafetensorsFile::open(path), Error) << size;
  }
}

TEST(Safetensors, RejectsHeaderLengthsThatCannotBe) {
  EXPECT_THAT(open_error("abc"), HasSubstr("too few"));
  std::string bytes = raw_file("{}", 0);
  bytes[0] = 100;
  EXPECT_THAT(open_error(bytes), HasSubstr("does not fit in a file of 10"));
  bytes = raw_file("{}", 0);
  std::memset(bytes.data(), 0xFF, 8);
  EXPECT_THAT(open_error(bytes), HasSubstr("over the limit of 100000000"));
}

TEST(Safetensors, RejectsHeadersOfAnotherForm) {
  EXPECT_THAT(header_error("", 0), HasSubstr("not JSON"));
  EXPECT_THAT(header_error("{", 0), HasSubstr("not JSON"));
  EXPECT_THAT(header_error("{} x", 0), HasSubstr("not JSON"));
  EXPECT_THAT(header_error("[]", 0), HasSubstr("not a JSON object"));
  EXPECT_THAT(header_error("7", 0), HasSubstr("not a JSON object"));
  EXPECT_THAT(header_error(R"({"a": 3})", 0), HasSubstr("\"a\", expected an object"));
  EXPECT_THAT(header_error(R"({"a": {"dtype": "F32", "shape": [1]}})", 4), HasSubstr("no data_offsets"));
  EXPECT_THAT(header_error(R"({"a": {"shape": [1], "data_offsets": [0, 4]}})", 4), HasSubstr("no dtype"));
  EXPECT_THAT(header_error(R"({"a": {"dtype": "F32", "data_offsets": [0, 4]}})", 4), HasSubstr("no shape"));
  EXPECT_THAT(header_error(R"({"a": {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]}})", 4), HasSubstr("shape"));
  EXPECT_THAT(header_error(R"({"a": {"dtype": "F32", "shape": [[1]], "data_offsets": [0, 4]}})", 4),
              HasSubstr("an array"));
  EXPECT_THAT(header_error(R"({"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]}})", 4), HasSubstr("1.5"));
  EXPECT_THAT(header_error(R"({"a": {"dtype": 3, "shape": [1], "data_offsets": [0, 4]}})", 4), HasSubstr("a number"));
  EXPECT_THAT(header_error(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 5]}})", 4),
              HasSubstr("3 data_offsets"));
  EXPECT_THAT(header_error(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], "x": 1}})", 4),
              HasSubstr("unknown key \"x\""));
  EXPECT_THAT(header_error(R"({"__metadata__": {"a": 1}})", 0), HasSubstr("a number"));
  EXPECT_THAT(header_error("{\"\xFF\": {}}", 0), HasSubstr("not JSON"));
}

TEST(Safetensors, RejectsDeepNestingWithoutOverflowingTheStack) {
  EXPECT_THAT(header_error(std::string(5'000'000, '['), 0), HasSubstr("not a JSON object"));
  EXPECT_THAT(header_error(R"({"a":{"shape":)" + std::string(5'000'000, '['), 0), HasSubstr("an array"));
}

TEST(Safetensors, RejectsNamesTwice) {
  const std::string entry = R"("a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]})";
  EXPECT_THAT(header_error("{" + entry + "," + entry + "}", 0), HasSubstr("names \"a\" twice"));
  EXPECT_THAT(header_error(R"({"a": {"dtype": "U8", "dtype": "U8"}})", 0), HasSubstr("\"dtype\" twice"));
}

TEST(Safetensors, RejectsSizesThatDoNotMatch) {
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"w": {"dtype": ")" + dtype + R"(", "shape": )" + shape + R"(, "data_offsets": )" + offsets + "}}";
  };
  EXPECT_THAT(header_error(one("F33", "[1]", "[0, 4]"), 4), HasSubstr("tensor \"w\": unknown dtype \"F33\""));
  EXPECT_THAT(header_error(one("F32", "[-1]", "[0, 4]"), 4), HasSubstr("negative number -1"));
  EXPECT_THAT(header_error(one("F32", "[1]", "[-4, 0]"), 4), HasSubstr("negative number -4"));
  EXPECT_THAT(header_error(one("F32", "[3]", "[0, 8]"), 8), HasSubstr("needs 12 bytes"));
  EXPECT_THAT(header_error(one("F32", "[4294967296, 4294967296]", "[0, 4]"), 4), HasSubstr("too large"));
  EXPECT_THAT(header_error(one("F64", "[2305843009213693952]", "[0, 0]"), 0), HasSubstr("too large"));
  EXPECT_THAT(header_error(one("U8", "[18446744073709551615]", "[0, 0]"), 0), HasSubstr("too large"));
  EXPECT_THAT(header_error(one("U8", "[99999999999999999999999]", "[0, 0]"), 0), HasSubstr("999"));
  EXPECT_THAT(header_error(one("U8", "[8]", "[8, 0]"), 8), HasSubstr("backwards"));
  EXPECT_THAT(header_error(one("U8", "[8]", "[0, 8]"), 7), HasSubstr("truncated?"));
  EXPECT_THAT(header_error(one("U8", "[8]", "[0, 8]"), 9), HasSubstr("1 bytes at the end"));
  EXPECT_THAT(header_error(one("F4", "[3]", "[0, 2]"), 2), HasSubstr("not whole bytes"));
  EXPECT_THAT(header_error(one("F4", "[6]", "[0, 2]"), 2), HasSubstr("needs 3 bytes"));
}

TEST(Safetensors, RejectsOverlappingOffsetsAndHoles) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a": {"dtype": "U8", "shape": [4], "data_offsets": )" + a +
           R"(}, "b": {"dtype": "U8", "shape": [4], "data_offsets": )" + b + "}}";
  };
  EXPECT_THAT(header_error(two("[0, 4]", "[2, 6]"), 6), HasSubstr("tensor \"b\" begins at byte 2 inside tensor \"a\""));
  EXPECT_THAT(header_error(two("[0, 4]", "[0, 4]"), 4), HasSubstr("inside tensor \"a\""));
  EXPECT_THAT(header_error(two("[0, 4]", "[5, 9]"), 9), HasSubstr("1 bytes before tensor \"b\""));
  EXPECT_THAT(header_error(two("[1, 5]", "[5, 9]"), 9), HasSubstr("1 bytes before tensor \"a\""));
}

TEST(Safetensors, EscapesHostileNamesInMessages) {
  EXPECT_THAT(header_error("{\"a\\nb\\u0000\": 1}", 0), HasSubstr("a\\nb\\u0000"));
  EXPECT_LT(header_error("{\"" + std::string(100'000, 'n') + "\": 1}", 0).size(), 500u);
}

class Shards : public testing::Test {
 protected:
  void SetUp() override {
    const std::vector<float> a = {1, 2}, b = {3};
    write_safetensors(folder.path() / "one.safetensors", std::vector{tensor_to_write("a", {2}, a)}, {{"format", "pt"}});
    write_safetensors(folder.path() / "two.safetensors", std::vector{tensor_to_write("b", {1}, b)});
  }
  std::filesystem::path index(const std::string& text) const { return folder.write("m.safetensors.index.json", text); }
  std::string index_error(const std::string& text) const {
    const auto path = index(text);
    return error_of([&] { SafetensorsFile::open(path); });
  }
  TemporaryFolder folder;
};

TEST_F(Shards, AreReadTogether) {
  const auto file = SafetensorsFile::open(
      index(R"({"metadata": {"total_size": 12}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})"));
  EXPECT_EQ(file.at("a").to_vector<float>(), (std::vector<float>{1, 2}));
  EXPECT_EQ(file.at("b").to_vector<float>(), (std::vector<float>{3}));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.total_bytes(), 12u);
}

TEST_F(Shards, RejectAnIndexThatDoesNotMatch) {
  EXPECT_THAT(index_error(R"({"weight_map": {"a": "three.safetensors"}})"),
              HasSubstr("\"three.safetensors\" is missing"));
  EXPECT_THAT(index_error(R"({"weight_map": {"a": "one.safetensors", "c": "one.safetensors"}})"),
              HasSubstr("tensor \"c\" is not in the shard"));
  EXPECT_THAT(index_error(R"({"weight_map": {"c": "one.safetensors"}})"),
              HasSubstr("tensor \"a\" is not in the index"));
  EXPECT_THAT(index_error(R"({"weight_map": {"a": "two.safetensors", "b": "one.safetensors"}})"),
              HasSubstr("but the index puts it into"));
}

TEST_F(Shards, RejectAnIndexOfAnotherForm) {
  EXPECT_THAT(index_error("{\"weight_map\":\n  {\"a\" \"one\"}}"), HasSubstr("line 2, column 12"));
  EXPECT_THAT(index_error("[]"), HasSubstr("weight_map"));
  EXPECT_THAT(index_error("{}"), HasSubstr("weight_map"));
  EXPECT_THAT(index_error(R"({"weight_map": {}})"), HasSubstr("names no tensor"));
  EXPECT_THAT(index_error(R"({"weight_map": {"a": 3}})"), HasSubstr("not a string"));
}

TEST_F(Shards, RejectShardNamesThatLeaveTheFolder) {
  for (const char* name : {"../one.safetensors", "/etc/passwd", "sub/one.safetensors", "..", ".", "", "a\\\\b"}) {
    EXPECT_THAT(index_error(std::string(R"({"weight_map": {"a": ")") + name + "\"}}"),
                HasSubstr("not a plain file name"))
        << name;
  }
}

TEST(SafetensorsWriting, RejectsTensorsThatDoNotFitTheirShape) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "m.safetensors";
  const std::vector<float> values = {1, 2};
  const auto write = [&](const std::vector<TensorToWrite>& tensors) { write_safetensors(path, tensors); };
  EXPECT_THAT(error_of([&] { write({tensor_to_write("a", {3}, values)}); }), HasSubstr("needs 12 bytes, 8 were given"));
  EXPECT_THAT(error_of([&] { write({tensor_to_write("a", {1}, values)}); }), HasSubstr("holds 4 bytes"));
  EXPECT_THAT(error_of([&] { write({tensor_to_write("a", {-2}, values)}); }), HasSubstr("negative"));
  EXPECT_THAT(error_of([&] {
                write({tensor_to_write("a", {2}, values), tensor_to_write("a", {2}, values)});
              }),
              HasSubstr("\"a\" is taken"));
  EXPECT_THAT(error_of([&] { write({tensor_to_write("__metadata__", {2}, values)}); }), HasSubstr("is taken"));
  EXPECT_THAT(error_of([&] { write({tensor_to_write("\xFF", {2}, values)}); }), HasSubstr("not UTF-8"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(SafetensorsWriting, InPiecesGivesTheSameFileAsAtOnce) {
  std::vector<std::int32_t> ids(1000);
  std::iota(ids.begin(), ids.end(), -5);
  const std::vector<double> weights = {0.5, 0.25};
  const std::vector<TensorToWrite> tensors = {tensor_to_write("ids", {10, 100}, ids),
                                              tensor_to_write("weights", {2}, weights)};
  const TemporaryFolder folder;
  write_safetensors(folder.path() / "once.safetensors", tensors, {{"k", "v"}});
  SafetensorsWriter writer(folder.path() / "pieces.safetensors", tensors, {{"k", "v"}});
  for (std::size_t begin = 0; begin < tensors[0].bytes.size(); begin += 7) {
    writer.append("ids", tensors[0].bytes.subspan(begin, std::min<std::size_t>(7, tensors[0].bytes.size() - begin)));
    if (begin == 700) writer.append("weights", tensors[1].bytes);
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "pieces.safetensors"));
  writer.finish();
  EXPECT_EQ(slurp(folder.path() / "pieces.safetensors"), slurp(folder.path() / "once.safetensors"));
}

TEST(SafetensorsWriting, InPiecesRefusesTooMuchTooLittleAndTheUnknown) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2};
  const std::vector<TensorToWrite> plan = {tensor_to_write("a", {2}, values)};
  {
    SafetensorsWriter writer(folder.path() / "m.safetensors", plan);
    EXPECT_THAT(error_of([&] { writer.append("b", plan[0].bytes); }), HasSubstr("no tensor \"b\""));
    writer.append("a", plan[0].bytes.first(4));
    EXPECT_THAT(error_of([&] { writer.append("a", plan[0].bytes); }), HasSubstr("more were given"));
    EXPECT_THAT(error_of([&] { writer.finish(); }), HasSubstr("needs 8 bytes, 4 were given"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

// A file size limit of the process stands for a full disk; the write fails in the same place.
class FullDisk : public testing::Test {
 protected:
  void SetUp() override {
    old_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit_), 0);
    const rlimit limit{4096, old_limit_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  void TearDown() override {
    ::setrlimit(RLIMIT_FSIZE, &old_limit_);
    ::signal(SIGXFSZ, old_handler_);
  }
  rlimit old_limit_{};
  void (*old_handler_)(int) = SIG_DFL;
};

TEST_F(FullDisk, IsAnEnvironmentErrorThatLeavesNoFile) {
  const TemporaryFolder folder;
  const std::vector<float> values(10'000);
  const auto path = folder.path() / "m.safetensors";
  const std::string message = error_of(
      [&] { write_safetensors(path, std::vector{tensor_to_write("a", {10'000}, values)}); }, ErrorKind::kEnvironment);
  EXPECT_THAT(message, HasSubstr("disk full"));
  EXPECT_THAT(message, HasSubstr(path.string()));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST_F(FullDisk, KeepsTheOlderFile) {
  const TemporaryFolder folder;
  const auto path = folder.write("m.safetensors", "older");
  const std::vector<float> values(10'000);
  error_of([&] { write_safetensors(path, std::vector{tensor_to_write("a", {10'000}, values)}); },
           ErrorKind::kEnvironment);
  EXPECT_EQ(slurp(path), "older");
}

TEST(MappedFile, MapsAnEmptyFileAndTakesAnyHint) {
  const TemporaryFolder folder;
  const auto empty = MappedFile::open(folder.write("empty", ""));
  EXPECT_TRUE(empty->bytes().empty());
  empty->will_need(0, 10);
  empty->drop(0, 10);
  const std::string text(100'000, 'x');
  const auto file = MappedFile::open(folder.write("some", text));
  file->will_need(5, 50'000);
  file->drop(5, 50'000);
  file->drop(99'999, 1);
  file->will_need(1'000'000, 2'000'000);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()), text);
}

}  // namespace
}  // namespace moescope::io
