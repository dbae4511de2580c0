#include "moescope/train/data.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "moescope/base/error.h"
#include "moescope/base/hash.h"
#include "moescope/base/interrupt.h"
#include "moescope/base/parallel.h"
#include "moescope/base/random.h"
#include "moescope/io/file.h"
#include "moescope/io/safetensors.h"
#include "moescope/text/bpe_trainer.h"
#include "moescope/text/tokenizer.h"
#include "moescope/train/parameters.h"

namespace moescope::train {
namespace {

constexpr std::size_t kDocumentsPerBlock = 256;  // tokenised by all threads, then appended in order
constexpr const char* kEndOfText = "<|endoftext|>";
constexpr std::uint64_t kSplitKey = 0x5b1170;  // keeps the held-out draw apart from the tokenizer's draw
constexpr std::uint64_t kSampleKey = 0x7e57;

// All corpora of the settings, one document after the other.
class Corpora {
 public:
  explicit Corpora(const TrainSettings& settings) : settings_(settings) {}

  std::optional<io::Document> next() {
    for (;;) {
      if (!reader_) {
        if (next_corpus_ == settings_.corpora.size()) return std::nullopt;
        reader_ = io::open_corpus(settings_.corpora[next_corpus_++].string(), settings_.corpus_options);
      }
      if (std::optional<io::Document> document = reader_->next()) return document;
      const io::CorpusCounts& counts = reader_->counts();
      counts_.n_documents += counts.n_documents;
      counts_.n_empty += counts.n_empty;
      counts_.n_replaced_bytes += counts.n_replaced_bytes;
      counts_.n_files += counts.n_files;
      counts_.n_bytes += counts.n_bytes;
      reader_.reset();
    }
  }

  const io::CorpusCounts& counts() const { return counts_; }

 private:
  const TrainSettings& settings_;
  std::size_t next_corpus_ = 0;
  std::unique_ptr<io::DocumentReader> reader_;
  io::CorpusCounts counts_;
};

// A uniform sample of documents worth about `n_bytes`: those with the smallest hashes of their position.
std::vector<std::string> sample_documents(const TrainSettings& settings, std::int64_t n_bytes) {
  struct Kept {
    std::uint64_t priority;
    std::string text;
  };
  std::vector<Kept> kept;
  std::uint64_t bound = ~std::uint64_t{0};
  std::int64_t total = 0;
  Corpora corpora(settings);
  std::uint64_t idx = 0;
  while (std::optional<io::Document> document = corpora.next()) {
    const std::uint64_t priority = hash64(static_cast<std::uint64_t>(settings.seed), kSampleKey, idx++);
    if (priority > bound) continue;
    total += static_cast<std::int64_t>(document->text.size());
    kept.push_back({priority, std::move(document->text)});
    while (total > 2 * n_bytes && kept.size() > 1) {
      bound /= 2;
      std::erase_if(kept, [&](const Kept& item) {
        if (item.priority <= bound) return false;
        total -= static_cast<std::int64_t>(item.text.size());
        return true;
      });
    }
  }
  std::vector<std::string> texts;
  for (Kept& item : kept) texts.push_back(std::move(item.text));
  return texts;
}

std::string train_tokenizer(const TrainSettings& settings, const Console& console) {
  console.line("reading text for the tokenizer");
  std::vector<std::string> texts = sample_documents(settings, settings.tokenizer_sample_bytes);
  console.line(
      fmt::format("training a byte-level BPE of {} pieces on {} documents", settings.vocab_size, texts.size()));
  std::size_t next = 0;
  text::BpeTrainerOptions options;
  options.vocab_size = static_cast<std::int32_t>(settings.vocab_size);
  return text::train_byte_level_bpe(
      [&]() -> std::optional<std::string> {
        if (next == texts.size()) return std::nullopt;
        return std::move(texts[next++]);
      },
      options);
}

void append(std::vector<std::int32_t>& stream, const std::vector<std::int32_t>& ids, std::int32_t eos_id) {
  stream.insert(stream.end(), ids.begin(), ids.end());
  if (eos_id >= 0) stream.push_back(eos_id);
}

at::Tensor to_tensor(const std::vector<std::int32_t>& ids) {
  at::Tensor tensor = at::empty({static_cast<std::int64_t>(ids.size())}, at::TensorOptions().dtype(at::kInt));
  std::copy(ids.begin(), ids.end(), tensor.data_ptr<std::int32_t>());
  return tensor;
}

void tokenize_corpora(const TrainSettings& settings, const Console& console, TrainingText& text) {
  const text::Tokenizer tokenizer = text::Tokenizer::from_json(text.tokenizer_json, "the training tokenizer");
  text.vocab_size = tokenizer.vocab_size();
  text.eos_id = tokenizer.id_of(kEndOfText).value_or(-1);
  std::vector<std::int32_t> train, validation;
  const auto held_out_bound =
      static_cast<std::uint64_t>(settings.validation_frac * 18446744073709549568.0);  // largest double below 2^64
  Corpora corpora(settings);
  Progress progress(console, "tokenize", "documents", 0);
  std::uint64_t doc_idx = 0;
  bool more = true;
  while (more) {
    throw_if_interrupted("nothing was trained yet");
    std::vector<io::Document> block;
    while (block.size() < kDocumentsPerBlock) {
      std::optional<io::Document> document = corpora.next();
      if (!document) {
        more = false;
        break;
      }
      text.domain_bytes[document->domain] += static_cast<std::int64_t>(document->text.size());
      block.push_back(std::move(*document));
    }
    std::vector<std::vector<std::int32_t>> ids(block.size());
    parallel_for(block.size(), settings.machine.n_threads,
                 [&](std::size_t i) { ids[i] = tokenizer.encode(block[i].text).ids; });
    for (const std::vector<std::int32_t>& document_ids : ids) {
      const std::uint64_t draw = hash64(static_cast<std::uint64_t>(settings.seed), kSplitKey, doc_idx++);
      append(draw < held_out_bound ? validation : train, document_ids, text.eos_id);
    }
    progress.update(static_cast<std::int64_t>(doc_idx));
  }
  progress.finish(fmt::format("{} tokens to train on, {} held out",
                              with_thousands(static_cast<std::int64_t>(train.size())),
                              with_thousands(static_cast<std::int64_t>(validation.size()))));
  text.counts = corpora.counts();
  text.train = to_tensor(train);
  text.validation = to_tensor(validation);
}

// What decides the streams; a cache made with another value is not used.
std::string fingerprint(const TrainSettings& settings) {
  nlohmann::json key = {settings.corpora,
                        settings.corpus_options.text_field,
                        settings.corpus_options.domain_field,
                        settings.vocab_size,
                        settings.validation_frac,
                        settings.seed,
                        settings.tokenizer_sample_bytes};
  key.push_back(settings.tokenizer.empty() ? "" : content_hash(io::read_file(settings.tokenizer)));
  return content_hash(key.dump());
}

at::Tensor stored(const io::SafetensorsFile& file, const std::string& name) {
  return to_tensor(file.at(name).to_vector<std::int32_t>());
}

void save_cache(const std::filesystem::path& file, const TrainingText& text, const std::string& key) {
  const std::vector<io::TensorToWrite> tensors = {tensor_to_write("train", text.train),
                                                  tensor_to_write("validation", text.validation)};
  const io::CorpusCounts& counts = text.counts;
  const nlohmann::json about = {
      {"vocab_size", text.vocab_size},
      {"eos_id", text.eos_id},
      {"counts", {counts.n_documents, counts.n_empty, counts.n_replaced_bytes, counts.n_files, counts.n_bytes}},
      {"domain_bytes", text.domain_bytes}};
  io::write_safetensors(file, tensors, {{"key", key}, {"tokenizer", text.tokenizer_json}, {"about", about.dump()}});
}

std::optional<TrainingText> load_cache(const std::filesystem::path& path, const std::string& key) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const io::SafetensorsFile file = io::SafetensorsFile::open(path);
  const auto found = file.metadata().find("key");
  if (found == file.metadata().end() || found->second != key) return std::nullopt;
  TrainingText text;
  text.train = stored(file, "train");
  text.validation = stored(file, "validation");
  text.tokenizer_json = file.metadata().at("tokenizer");
  const nlohmann::json about = nlohmann::json::parse(file.metadata().at("about"));
  text.vocab_size = about.at("vocab_size");
  text.eos_id = about.at("eos_id");
  text.domain_bytes = about.at("domain_bytes").get<std::map<std::string, std::int64_t>>();
  const nlohmann::json& counts = about.at("counts");
  text.counts = {counts.at(0), counts.at(1), counts.at(2), counts.at(3), counts.at(4)};
  return text;
}

}  // namespace

TrainingText load_training_text(const TrainSettings& settings, const Console& console) {
  const std::filesystem::path cache = std::filesystem::path(settings.out) / "state" / "tokens.safetensors";
  const std::string key = fingerprint(settings);
  std::optional<TrainingText> text = load_cache(cache, key);
  if (!text) {
    text.emplace();
    text->tokenizer_json =
        settings.tokenizer.empty() ? train_tokenizer(settings, console) : io::read_file(settings.tokenizer);
    tokenize_corpora(settings, console, *text);
    std::filesystem::create_directories(cache.parent_path());
    save_cache(cache, *text, key);
  }
  const std::int64_t n_positions = settings.model.n_ctx;
  if (text->train.size(0) <= n_positions) {
    throw input_error("the training text has {} tokens, fewer than one sequence of {}", text->train.size(0),
                      n_positions + 1);
  }
  if (text->validation.size(0) <= n_positions) {
    throw input_error("the held-out text has {} tokens, fewer than one sequence of {}", text->validation.size(0),
                      n_positions + 1)
        .hint("raise " + option_name("validation-frac") + " or give more documents");
  }
  return *text;
}

std::int64_t sequence_start(std::int64_t j, std::int64_t n_tokens, std::int64_t n_positions, std::uint64_t seed) {
  const std::int64_t n_pieces = (n_tokens - 1) / n_positions;
  MOESCOPE_ASSERT(n_pieces > 0);
  const std::int64_t epoch = j / n_pieces;
  // i -> multiplier * i + shift (mod n_pieces) visits every piece once, since the multiplier is coprime to n_pieces.
  Random random(hash64(seed, static_cast<std::uint64_t>(epoch)));
  const auto n = static_cast<std::uint64_t>(n_pieces);
  const std::uint64_t shift = random.below(n);
  std::uint64_t multiplier = 1 + random.below(n);
  while (std::gcd(multiplier, n) != 1) multiplier = 1 + random.below(n);
  const auto i = static_cast<std::uint64_t>(j % n_pieces);
  const auto piece = static_cast<std::int64_t>((static_cast<uint128>(multiplier) * i + shift) % n);
  return piece * n_positions;
}

at::Tensor training_batch(const at::Tensor& stream, std::int64_t first, std::int64_t count, std::int64_t n_positions,
                          std::uint64_t seed, at::Device device) {
  at::Tensor batch = at::empty({count, n_positions + 1}, at::TensorOptions().dtype(at::kLong));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t start = sequence_start(first + i, stream.size(0), n_positions, seed);
    batch[i].copy_(stream.narrow(0, start, n_positions + 1));
  }
  return batch.to(device);
}

}  // namespace moescope::train
