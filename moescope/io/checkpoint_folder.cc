#include "moescope/io/checkpoint_folder.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/base/hash.h"
#include "moescope/base/parallel.h"
#include "moescope/io/file.h"
#include "moescope/io/quote.h"

namespace moescope::io {
namespace {

namespace fs = std::filesystem;

// A folder of the environment with ~ for the home folder, or empty.
fs::path folder_of(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || *value == '\0') return {};
  const std::string text = value;
  const char* home = std::getenv("HOME");
  if (home != nullptr && (text == "~" || text.starts_with("~/"))) return fs::path(home + text.substr(1));
  return text;
}

bool is_there(const fs::path& path) {
  std::error_code failed;
  return fs::exists(path, failed);
}

// A name of the hub: letters, digits and ._- in one or two parts, with nothing that walks through folders.
bool is_hub_name(const std::string& name) {
  const auto slash = name.find('/');
  if (slash != std::string::npos && name.find('/', slash + 1) != std::string::npos) return false;
  const auto is_part = [](const std::string& part) {
    return !part.empty() && part.front() != '.' && part.find("..") == std::string::npos &&
           std::all_of(part.begin(), part.end(), [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                    c == '_' || c == '-';
           });
  };
  if (slash == std::string::npos) return is_part(name);
  return is_part(name.substr(0, slash)) && is_part(name.substr(slash + 1));
}

std::string fetch_command(const std::string& name, const std::string& revision) {
  return "fetch it with: hf download " + name + (revision == "main" ? "" : " --revision " + revision);
}

// The snapshot of a revision in models--org--name.
fs::path find_snapshot(const fs::path& repository, const std::string& name, const std::string& revision) {
  const bool leaves = revision.empty() || revision.front() == '/' || revision.find("..") != std::string::npos;
  if (leaves) throw input_error("{} is no revision", quote_name(revision)).at(name);
  std::string hash = revision;
  if (const fs::path reference = repository / "refs" / revision; is_there(reference)) {
    hash = read_file(reference);
    hash.erase(hash.find_last_not_of(" \t\r\n") + 1);
    if (hash.empty() || hash.find('/') != std::string::npos || hash.find("..") != std::string::npos) {
      throw input_error("holds {}, expected the hash of a commit", quote_name(hash)).at(reference.string());
    }
  }
  const fs::path snapshot = repository / "snapshots" / hash;
  if (!is_there(snapshot)) {
    throw input_error("revision {} is not in the cache {}", quote_name(revision), repository.string())
        .at(name)
        .hint(fetch_command(name, revision));
  }
  return snapshot;
}

fs::path find_folder(const std::string& model, const std::string& revision) {
  std::error_code failed;
  const fs::file_status status = fs::status(model, failed);
  if (fs::is_directory(status)) {
    if (revision != "main") throw input_error("a folder has no revision {}", quote_name(revision)).at(model);
    return model;
  }
  if (fs::exists(status)) throw input_error("is a file, expected the folder of a model").at(model);
  if (!is_hub_name(model)) throw input_error("no such folder").at(model.empty() ? "model \"\"" : model);
  std::string repository = model;
  if (const auto slash = repository.find('/'); slash != std::string::npos) repository.replace(slash, 1, "--");
  const fs::path cache = hugging_face_cache();
  const fs::path in_cache = cache / ("models--" + repository);
  if (cache.empty() || !is_there(in_cache)) {
    throw input_error("neither a folder nor in the Hugging Face cache {}", cache.string())
        .at(model)
        .hint(fetch_command(model, revision));
  }
  return find_snapshot(in_cache, model, revision);
}

// The path of a file of the folder, or empty. A link to nothing is a download that did not end.
fs::path file_of(const fs::path& folder, const char* name) {
  const fs::path path = folder / name;
  if (is_there(path)) return path;
  std::error_code failed;
  if (fs::is_symlink(path, failed)) {
    throw input_error("links to a file that is missing")
        .at(path.string())
        .hint("the download is incomplete: repeat it");
  }
  return {};
}

// Shards named by an index, or the one file itself.
std::vector<fs::path> weight_files(const fs::path& weights) {
  if (weights.extension() != ".json") return {weights};
  std::set<fs::path> shards;
  const SafetensorsFile all = SafetensorsFile::open(weights);
  for (const auto& [name, tensor] : all.tensors()) shards.insert(tensor.file->path());
  std::vector<fs::path> files(shards.begin(), shards.end());
  files.push_back(weights);
  return files;
}

std::string file_hash(const fs::path& path) {
  constexpr std::size_t kPieceBytes = std::size_t{64} << 20;
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  ContentHasher hasher;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kPieceBytes) {
    const std::size_t end = std::min(bytes.size(), begin + kPieceBytes);
    file->will_need(begin, end);
    hasher.add({reinterpret_cast<const char*>(bytes.data()) + begin, end - begin});
    file->drop(begin, end);  // a large model does not push everything else out of memory
  }
  return hasher.digest();
}

}  // namespace

fs::path hugging_face_cache() {
  for (const char* variable : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const fs::path folder = folder_of(variable); !folder.empty()) return folder;
  }
  if (const fs::path folder = folder_of("HF_HOME"); !folder.empty()) return folder / "hub";
  if (const fs::path folder = folder_of("XDG_CACHE_HOME"); !folder.empty()) return folder / "huggingface" / "hub";
  if (const fs::path folder = folder_of("HOME"); !folder.empty()) return folder / ".cache" / "huggingface" / "hub";
  return {};
}

CheckpointFolder find_checkpoint(const std::string& model, const std::string& revision) {
  CheckpointFolder checkpoint;
  checkpoint.name = model;
  checkpoint.folder = find_folder(model, revision);
  checkpoint.config_json = file_of(checkpoint.folder, "config.json");
  if (checkpoint.config_json.empty()) {
    const Error error = input_error("no config.json: not the folder of a model").at(checkpoint.folder.string());
    throw is_there(model) ? error : error.hint(fetch_command(model, revision));
  }
  checkpoint.tokenizer_json = file_of(checkpoint.folder, "tokenizer.json");
  checkpoint.generation_config_json = file_of(checkpoint.folder, "generation_config.json");
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"}) {
    if (checkpoint.weights.empty()) checkpoint.weights = file_of(checkpoint.folder, name);
  }
  return checkpoint;
}

void require_weights(const CheckpointFolder& checkpoint) {
  if (!checkpoint.weights.empty()) return;
  std::string others;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(checkpoint.folder, failed)) {
    const std::string extension = entry.path().extension().string();
    for (const char* other : {".bin", ".pt", ".pth", ".gguf", ".safetensors", ".h5", ".msgpack"}) {
      if (extension == other) others = entry.path().filename().string();
    }
  }
  const std::string found = others.empty() ? "" : fmt::format(", only {}", quote_name(others));
  throw input_error("neither model.safetensors nor model.safetensors.index.json{}", found)
      .at(checkpoint.folder.string())
      .hint("weights are read as safetensors only");
}

std::string checkpoint_hash(const CheckpointFolder& checkpoint, bool with_weights) {
  std::vector<fs::path> files = {checkpoint.config_json};
  if (!checkpoint.tokenizer_json.empty()) files.push_back(checkpoint.tokenizer_json);
  if (with_weights && !checkpoint.weights.empty()) {
    for (fs::path& path : weight_files(checkpoint.weights)) files.push_back(std::move(path));
  }
  std::vector<std::string> lines(files.size());
  parallel_for(files.size(), 0, [&](std::size_t i) {
    lines[i] = fmt::format("{} {} {}\n", file_hash(files[i]), fs::file_size(files[i]), files[i].filename().string());
  });
  std::sort(lines.begin(), lines.end());
  ContentHasher hasher;
  for (const std::string& line : lines) hasher.add(line);
  return hasher.digest();
}

}  // namespace moescope::io
