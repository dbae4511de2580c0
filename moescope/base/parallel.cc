#include "moescope/base/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace moescope {

int hardware_threads() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

void parallel_for(std::size_t n, int n_threads, const std::function<void(std::size_t)>& body) {
  const auto wanted = static_cast<std::size_t>(n_threads > 0 ? n_threads : hardware_threads());
  const std::size_t used = std::min(wanted, n);
  if (used <= 1) {
    for (std::size_t i = 0; i < n; ++i) body(i);
    return;
  }
  std::atomic<std::size_t> next{0};
  std::exception_ptr first_error;
  std::mutex error_mutex;
  const auto work = [&] {
    for (std::size_t i = next.fetch_add(1); i < n; i = next.fetch_add(1)) {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!first_error) first_error = std::current_exception();
        next.store(n);
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    threads.reserve(used - 1);
    for (std::size_t t = 1; t < used; ++t) threads.emplace_back(work);
    work();
  }
  if (first_error) std::rethrow_exception(first_error);
}

}  // namespace moescope
