// `system`: text that any machine has, as a corpus without downloads: headers, scripts, documents, licences.
//
// Goals: the same order on the same machine; kinds balanced by bytes, so that any bound keeps a mix; nothing taken
// twice; everything left out is counted. Non-goals: the same corpus on two machines (files() says what was taken);
// formats that are no plain text, such as manual pages.
#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_set>

#include "moescope/base/error.h"
#include "moescope/base/hash.h"
#include "moescope/io/byte_source.h"
#include "moescope/io/document_source.h"
#include "moescope/io/utf8.h"

namespace moescope::io {
namespace {

namespace fs = std::filesystem;

// Longer files are generated lists and logs; they would crowd out the rest of their kind.
constexpr std::int64_t kMaxFileBytes = 1 << 20;
// Of what is taken, the beginning: a corpus of a few hundred thousand tokens shall have many documents of each kind.
constexpr std::size_t kMaxTextBytes = 32 << 10;

bool one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_changelog(std::string_view name) { return name.starts_with("changelog") || name.starts_with("ChangeLog"); }

// The domain of a file by its path below the root ("/usr/share/man/man1/ls.1.gz"), or "" to leave it out.
std::string_view domain_of(const std::string& path) {
  const auto in = [&](std::string_view folder) { return path.starts_with(folder); };
  const fs::path plain = unpacked_name(path);
  const std::string name = plain.filename().string(), extension = plain.extension().string();
  if (in("/usr/include/")) {
    const bool standard = extension.empty() && path.find("/c++/") != std::string::npos;
    return standard || one_of(extension, {".h", ".hh", ".hpp", ".tcc", ".ipp"}) ? "C header" : "";
  }
  if (in("/usr/lib/python3")) return extension == ".py" ? "Python" : "";
  if (in("/usr/share/perl")) return one_of(extension, {".pl", ".pm", ".pod"}) ? "Perl" : "";
  if (in("/usr/share/common-licenses/")) return "licence";
  if (in("/usr/share/cmake")) return extension == ".rst" ? "document" : "";  // prose where /usr/share/doc is empty
  if (one_of(extension, {".tex", ".ltx", ".sty", ".cls", ".dtx"})) return "LaTeX";
  if (!in("/usr/share/doc/")) return "";
  if (name == "copyright") return "licence";
  if (is_changelog(name)) return "changelog";
  const bool document = one_of(extension, {"", ".txt", ".text", ".md", ".rst", ".Debian"}) ||
                        one_of(plain.stem().string(), {"README", "NEWS", "FAQ", "INSTALL", "HISTORY"});
  return document ? "document" : "";
}

constexpr std::string_view kFolders[] = {
    "/usr/share/doc",   "/usr/share/common-licenses", "/usr/include",    "/usr/share/texlive",
    "/usr/share/texmf", "/usr/share/texmf-dist",      "/usr/share/perl", "/usr/share/perl5"};

// Text without NUL that is mostly UTF-8.
bool looks_like_text(const std::string& bytes) {
  constexpr std::int64_t kMaxReplacedShare = 20;  // one byte in twenty: old files with letters in Latin-1
  if (bytes.find('\0') != std::string::npos) return false;
  std::int64_t n_replaced = 0;
  repair_utf8(bytes, n_replaced);
  return n_replaced * kMaxReplacedShare <= static_cast<std::int64_t>(bytes.size());
}

// The files of one domain that were not read yet, the next one last.
struct Pile {
  std::string domain;
  std::vector<fs::path> paths;
  std::int64_t n_bytes = 0;  // of text given out
};

class SystemReader : public DocumentReader {
 public:
  SystemReader(const CorpusOptions& options, const fs::path& root) : options_(options), root_(root) {
    std::vector<fs::path> folders;
    for (const std::string_view folder : kFolders) folders.push_back(root / folder.substr(1));
    add_versions(root / "usr/lib", "python3", folders);   // python3, python3.11
    add_versions(root / "usr/share", "cmake-", folders);  // cmake-3.25
    for (const fs::path& folder : folders) list(folder);
    if (piles_.empty()) throw input_error("no text found on this machine").at("corpus system");
    for (Pile& pile : piles_) shuffle(pile.paths);
    std::sort(piles_.begin(), piles_.end(), [](const Pile& a, const Pile& b) { return a.domain < b.domain; });
  }

  std::optional<Document> next() override {
    while (counts_.n_bytes < options_.system_max_bytes) {
      Pile* pile = poorest_pile();
      if (pile == nullptr) break;
      const fs::path path = std::move(pile->paths.back());
      pile->paths.pop_back();
      std::optional<Document> document = read(path, pile->domain);
      if (!document) continue;
      const auto n_bytes = static_cast<std::int64_t>(document->text.size());
      pile->n_bytes += n_bytes;
      counts_.n_bytes += n_bytes;
      ++counts_.n_documents;
      ++counts_.n_files;
      files_.push_back(path);
      return document;
    }
    return std::nullopt;
  }

  const CorpusCounts& counts() const override { return counts_; }
  const std::vector<fs::path>& files() const override { return files_; }

 private:
  std::string below_root(const fs::path& path) const { return "/" + path.lexically_relative(root_).generic_string(); }

  static void add_versions(const fs::path& parent, std::string_view name, std::vector<fs::path>& folders) {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(parent, failed)) {
      if (entry.path().filename().string().starts_with(name)) folders.push_back(entry.path());
    }
  }

  // Symbolic links are left alone: what they point at is found in its own place, or lies outside.
  void list(const fs::path& folder) {
    std::error_code failed;
    if (fs::is_symlink(folder, failed)) return;
    fs::recursive_directory_iterator entries(folder, fs::directory_options::skip_permission_denied, failed);
    while (!failed && entries != fs::recursive_directory_iterator()) {
      std::error_code unknown;
      if (!entries->is_symlink(unknown) && entries->is_regular_file(unknown)) {
        const std::string_view domain = domain_of(below_root(entries->path()));
        if (domain.empty()) {
          ++counts_.n_other_files;
        } else {
          pile_of(domain).paths.push_back(entries->path());
        }
      }
      entries.increment(failed);
    }
  }

  Pile& pile_of(std::string_view domain) {
    for (Pile& pile : piles_) {
      if (pile.domain == domain) return pile;
    }
    return piles_.emplace_back(Pile{std::string(domain), {}, 0});
  }

  // By a hash of the path: the same on every run, and the first files are of many packages.
  void shuffle(std::vector<fs::path>& paths) const {
    std::vector<std::pair<std::string, fs::path>> keyed;
    for (fs::path& path : paths) keyed.emplace_back(content_hash(below_root(path)), std::move(path));
    std::sort(keyed.begin(), keyed.end());
    paths.clear();
    for (auto& [key, path] : keyed) paths.push_back(std::move(path));
  }

  Pile* poorest_pile() {
    Pile* poorest = nullptr;
    for (Pile& pile : piles_) {
      if (!pile.paths.empty() && (poorest == nullptr || pile.n_bytes < poorest->n_bytes)) poorest = &pile;
    }
    return poorest;
  }

  std::optional<Document> read(const fs::path& path, const std::string& domain) {
    std::string bytes;
    try {
      bytes = read_all(path, std::min(kMaxFileBytes, options_.max_document_bytes));
    } catch (const Error&) {
      ++counts_.n_unreadable;
      return std::nullopt;
    }
    if (!looks_like_text(bytes)) {
      ++counts_.n_binary;
      return std::nullopt;
    }
    if (!seen_.insert(content_hash(bytes)).second) {
      ++counts_.n_duplicates;
      return std::nullopt;
    }
    std::string text = repair_utf8(std::move(bytes), counts_.n_replaced_bytes);
    if (text.find_first_not_of(" \t\r\n\f") == std::string::npos) {
      ++counts_.n_empty;
      return std::nullopt;
    }
    if (text.size() > kMaxTextBytes) {
      ++counts_.n_shortened;
      const std::size_t end_of_line = text.rfind('\n', kMaxTextBytes - 1);
      text.resize(end_of_line == std::string::npos ? character_begin(text, kMaxTextBytes) : end_of_line + 1);
    }
    return Document{below_root(path), std::move(text), domain};
  }

  // The last byte at or before `at` that begins a character of UTF-8.
  static std::size_t character_begin(const std::string& text, std::size_t at) {
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
    return at;
  }

  CorpusOptions options_;
  fs::path root_;
  std::vector<Pile> piles_;
  std::unordered_set<std::string> seen_;
  std::vector<fs::path> files_;
  CorpusCounts counts_;
};

}  // namespace

std::unique_ptr<DocumentReader> open_system_corpus(const CorpusOptions& options, const fs::path& root) {
  return std::make_unique<SystemReader>(options, root);
}

}  // namespace moescope::io
