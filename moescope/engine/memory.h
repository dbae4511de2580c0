// How much memory there is, and how much this process uses.
//
// Source: proc(5), cgroups(7). Linux only; a number that cannot be read is told as absent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace moescope::engine {

// Bytes that this process could still take: MemAvailable, and the room left under the limits of its control groups
// (files in the page cache count as room). `root` is for tests.
std::optional<std::uint64_t> free_memory_bytes(const std::filesystem::path& root = "/");

// Resident now, and the most it ever was (VmRSS, VmHWM).
std::optional<std::uint64_t> resident_bytes();
std::optional<std::uint64_t> peak_resident_bytes();

}  // namespace moescope::engine
