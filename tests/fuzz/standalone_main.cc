// Runs a fuzz target over the files given, for compilers without libFuzzer and to repeat what a fuzzer found.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int n_arguments, char** arguments) {
  for (int i = 1; i < n_arguments; ++i) {
    std::ifstream file(arguments[i], std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    const std::string text = bytes.str();
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    std::printf("%s: fine\n", arguments[i]);
  }
  return 0;
}
