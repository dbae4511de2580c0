// How people write numbers of bytes.
#pragma once

#include <cstdint>
#include <string>

namespace moescope {

// "8G", "512M", "1.5 GB", "2000000": powers of 1000, or of 1024 with "Ki", "Mi", "Gi", "Ti". Throws kUsage.
std::uint64_t parse_bytes(const std::string& text);

}  // namespace moescope
