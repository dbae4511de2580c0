#include "moescope/run/table_file.h"

namespace moescope::run {

void write_table_files(const std::filesystem::path& folder, const std::string& name, const io::Table& table) {
  io::write_csv(folder / (name + ".csv"), table);
  if (io::parquet_available()) io::write_parquet(folder / (name + ".parquet"), table);
}

}  // namespace moescope::run
