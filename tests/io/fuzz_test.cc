// The fuzz targets over mutated fixtures: a fixed seed, a few thousand inputs, in every run of the tests.
#include <gtest/gtest.h>

#include <array>

#include "moescope/base/random.h"
#include "tests/fuzz/io_targets.h"
#include "tests/io/temporary_folder.h"

namespace moescope::io {
namespace {

// One to four small changes: a bit, a byte, a cut, a piece put somewhere else, an extreme number.
std::string mutate(std::string bytes, Random& random) {
  const auto position = [&] { return static_cast<std::size_t>(random.below(bytes.size())); };
  for (std::uint64_t n = 1 + random.below(4); n > 0 && !bytes.empty(); --n) {
    switch (random.below(7)) {
      case 0: bytes[position()] ^= static_cast<char>(1 << random.below(8)); break;
      case 1: bytes[position()] = static_cast<char>(random.below(256)); break;
      case 2: bytes.resize(position()); break;
      case 3: bytes.erase(position(), 1 + random.below(16)); break;
      case 4: bytes.insert(position(), bytes.substr(position(), 1 + random.below(32))); break;
      case 5: {
        constexpr std::array<const char*, 6> kNumbers = {
            "0", "-1", "9223372036854775807", "18446744073709551616", "1e999", "4294967296"};
        bytes.insert(position(), kNumbers[random.below(kNumbers.size())]);
        break;
      }
      default: {
        constexpr std::array<const char*, 10> kPieces = {"\"", "\\", "{", "}", "[", "]", "\n", "\t", "\xFF", "\\ud800"};
        bytes.insert(position(), kPieces[random.below(kPieces.size())]);
      }
    }
  }
  return bytes;
}

template <typename Target>
void run(Target target, const std::string& seed_input, int n_inputs) {
  Random random(2024);
  target(seed_input);
  for (int i = 0; i < n_inputs; ++i) target(mutate(seed_input, random));
}

TEST(MutatedInput, OfSafetensorsGivesTensorsOrAnError) {
  run(fuzz::safetensors, slurp(fixture("reference.safetensors")), 2000);
}

TEST(MutatedInput, OfJsonLinesGivesDocumentsOrAnError) {
  run(fuzz::json_lines,
      R"({"text": "a \"b\" \u00e4 ä", "meta": {"pile_set_name": "X", "n": [1, 2.5e3, null, true]}})"
      "\n{\"text\": \"second\"}\r\n\n{\"text\": null}\n",
      2000);
}

TEST(MutatedInput, OfJsonGivesDocumentsOrAnError) {
  run(fuzz::json, "\xEF\xBB\xBF[{\"text\": \"a\\\\\\\"]}\", \"meta\": [[], {}]},\n {\"text\": \"b\"}]\n", 2000);
}

TEST(MutatedInput, OfTextIsRepaired) { run(fuzz::text, "Zeilen mit Ümläuten, € und \U0001F600.\n", 1000); }

TEST(MutatedInput, OfConlluGivesWordsInsideTheirTextOrAnError) {
  run(fuzz::conllu,
      "# newdoc id = weblog-1\n# text = We don't.\n1\tWe\twe\tPRON\t_\t_\t2\t_\t_\t_\n"
      "2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No\n2\tdo\tdo\tAUX\t_\t_\t0\t_\t_\t_\n3\tn't\tnot\tPART\t_\t_\t2\t_"
      "\t_\t_\n"
      "3.1\tgo\t_\tVERB\t_\t_\t_\t_\t_\t_\n4\t.\t.\tPUNCT\t_\t_\t2\t_\t_\t_\n\n# "
      "newpar\n1\tJa\t_\tINTJ\t_\t_\t_\t_\t_\t_\n",
      2000);
}

TEST(MutatedInput, OfTaggedTextGivesWordsInTheirOrderOrAnError) {
  run(fuzz::tagged,
      "{\"words\": [\"The\", \"Ünder\", \".\"], \"tags\": [\"DET\", \"X\", \"PUNCT\"], \"text\": \"The  Ünder.\"}\n"
      "{\"words\": [\"a\"], \"tags\": [\"X\"], \"document\": \"d\"}\n",
      2000);
}

TEST(MutatedInput, OfCsvGivesATableOrAnError) {
  run(fuzz::csv, "a,b,c,d\n1,0.5,\"x, \"\"y\"\"\n\",1 2 3\n,,,\n-7,1e-300,\"\",\"\"\n", 2000);
}

TEST(MutatedInput, OfCompressedFilesGivesDocumentsOrAnError) {
  run(fuzz::compressed, slurp(fixture("two_members.jsonl.gz")), 300);
  run(fuzz::compressed, slurp(fixture("two_frames.jsonl.zst")), 300);
}

#ifdef MOESCOPE_WITH_ARROW
TEST(MutatedInput, OfParquetGivesDocumentsOrAnError) { run(fuzz::parquet, slurp(fixture("struct_meta.parquet")), 500); }
#endif

}  // namespace
}  // namespace moescope::io
