// The training step of some instances side by side (16 with AVX-512): forward pass, loss and gradients by hand.
// Included by lanes_kernels.cc only, which Highway compiles for several vector widths and, with the sizes as constants,
// for the shapes of phase diagrams.
//
// Four inputs at a time (kLaneTile), so that a weight is loaded once for four of them; sums run over inputs and
// features within a lane, in an order that depends on the architecture only. Gradients, for d = dL/dx_hat, z_e the
// input of expert e's ReLU and h_e = W_e^T x:
//   dz_e = g_e d 1[z_e > 0],  db_e = dz_e,  dh_e = W_e^T dz_e,  dW_e = dz_e h_e^T + x dh_e^T
//   c_e = <d, y_e>;  renormalized: ds_e = g_e (c_e - sum_j g_j c_j);  switch: ds_e = g_e c_e - p_e sum_j g_j c_j
//   balance loss: ds_e += balance_coef E / N p_e (f_e - sum_j f_j p_j), N inputs that count;  dG_e = ds_e x
#if defined(MOESCOPE_TOY_LANES_KERNEL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOESCOPE_TOY_LANES_KERNEL_H_
#undef MOESCOPE_TOY_LANES_KERNEL_H_
#else
#define MOESCOPE_TOY_LANES_KERNEL_H_
#endif

#include <cstdint>

#include "moescope/toy/lanes_vector.h"
#include "moescope/toy/lanes_view.h"

HWY_BEFORE_NAMESPACE();
namespace moescope::toy::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kTile = kLaneTile;
constexpr int kBlock = 4;  // rows or columns of W that share what is loaded

// Sizes known to the compiler where not 0.
template <int N, int M, int E, int K>
struct KnownSizes {
  const LaneView& view;
  HWY_INLINE std::int64_t n() const { return N > 0 ? N : view.n; }
  HWY_INLINE std::int64_t m() const { return M > 0 ? M : view.m; }
  HWY_INLINE std::int64_t n_experts() const { return E > 0 ? E : view.n_experts; }
  HWY_INLINE std::int64_t n_active() const { return K > 0 ? K : view.n_active; }
};

HWY_INLINE Floats* vectors(float* data) { return reinterpret_cast<Floats*>(data); }
HWY_INLINE Words* vectors(std::uint32_t* data) { return reinterpret_cast<Words*>(data); }

// --- inputs ---

template <typename S>
HWY_INLINE void draw_tile(const S& s, LaneView& view, std::uint32_t step, std::int64_t first, Floats* x) {
  Words* words = vectors(view.words);
  const Words* key = vectors(view.keys);
  const std::int64_t block = first / kTile * view.stride;
  for (std::int64_t i = 0; i < view.stride; ++i) {
    const PhiloxCounter counter = {{static_cast<std::uint32_t>(block + i), step, view.stream, 0}};
    philox_lanes(counter, key, words + 4 * i);
  }
  const Floats density = vectors(view.density)[0], scale = vectors(view.density)[1];
  for (std::int64_t t = 0; t < kTile; ++t) {
    const Words* sample = words + t * view.stride;
    for (std::int64_t i = 0; i < s.n(); ++i) {
      const Floats r = uniform_lanes(sample[i]);
      x[t * s.n() + i] = pick(r < density, r * scale, zero());
    }
    if (view.n_groups == 0) continue;
    for (std::int64_t i = 0; i < s.n(); ++i) {
      const Floats group_draw = uniform_lanes(sample[view.group_begin + i / view.group_size]);
      const Floats copied = pick(group_draw < density, uniform_lanes(sample[i]), zero());
      const Floats copy_draw = uniform_lanes(sample[view.copy_begin + i]);
      x[t * s.n() + i] = pick(copy_draw < all_lanes(view.copy_share), copied, x[t * s.n() + i]);
    }
  }
}

// --- router ---

template <typename S>
HWY_INLINE void score(const S& s, LaneView& view, const Floats* x, Floats* scores) {
  if (view.is_hash) {
    const Words* keys = vectors(view.keys) + 2;
    Words pattern = no_words();
    for (std::int64_t i = 0; i < s.n(); ++i) {
      pattern = pattern ^ hn::IfThenElseZero(hn::RebindMask(WordTag(), x[i] > zero()), keys[i]);
    }
    for (std::int64_t e = 0; e < s.n_experts(); ++e) {
      Words h = pattern ^ keys[s.n() + e];
      h = (h ^ hn::ShiftRight<16>(h)) * all_lanes(0x85EBCA6BU);
      h = (h ^ hn::ShiftRight<13>(h)) * all_lanes(0xC2B2AE35U);
      scores[e] = to_floats(hn::ShiftRight<8>(h ^ hn::ShiftRight<16>(h)));
    }
    return;
  }
  const Floats* gate = vectors(view.parameters) + s.n_experts() * s.n() * (s.m() + 1);
  for (std::int64_t e = 0; e < s.n_experts(); ++e) {
    Floats sum = gate[e * s.n()] * x[0];
    for (std::int64_t i = 1; i < s.n(); ++i) sum += gate[e * s.n() + i] * x[i];
    scores[e] = sum;
  }
}

// chosen[e] = 1 for the k largest scores, else 0. Where a score is not a number anything may be chosen: the loss shows
// it.
template <typename S>
HWY_INLINE void choose(const S& s, const LaneView& view, const Floats* scores, const Words& tie_word, Floats* chosen) {
  const std::int64_t n_experts = s.n_experts();
  const bool random = view.random_ties;
  Words first_word = no_words(), unused;
  if (random) wide_product(tie_word, static_cast<std::uint32_t>(n_experts), first_word, unused);  // first_in_order
  const Floats first = to_floats(first_word);
  for (std::int64_t e = 0; e < n_experts; ++e) chosen[e] = zero();
  for (std::int64_t round = 0; round < s.n_active(); ++round) {
    Floats best = all_lanes(-__builtin_inff()), best_idx = all_lanes(-1.0F), best_place = zero();
    for (std::int64_t e = 0; e < n_experts; ++e) {
      const Floats idx = all_lanes(static_cast<float>(e));
      const Floats free_score =
          round == 0 ? scores[e] : pick(chosen[e] > zero(), all_lanes(-__builtin_inff()), scores[e]);
      Floats place = zero();
      if (random) {
        place = idx - first;
        place = pick(place < zero(), place + all_lanes(static_cast<float>(n_experts)), place);
        const Floats earlier = pick(place < best_place, idx, best_idx);
        best_idx = pick(free_score == best, earlier, best_idx);
      }
      best_idx = pick(free_score > best, idx, best_idx);
      best = pick(free_score > best, free_score, best);
      if (random) best_place = pick(best_idx == idx, place, best_place);
    }
    for (std::int64_t e = 0; e < n_experts; ++e) {
      chosen[e] = pick(best_idx == all_lanes(static_cast<float>(e)), all_lanes(1.0F), chosen[e]);
    }
  }
}

// p = softmax(scores) where needed, and the weights of the chosen.
template <typename S>
HWY_INLINE void weigh(const S& s, const LaneView& view, const Floats* scores, const Floats* chosen, Floats* p,
                      Floats* gate) {
  const std::int64_t n_experts = s.n_experts();
  if (!view.needs_softmax) {
    const Floats weight = all_lanes(1.0F / static_cast<float>(s.n_active()));
    for (std::int64_t e = 0; e < n_experts; ++e) gate[e] = chosen[e] * weight;
    return;
  }
  Floats largest = scores[0];
  for (std::int64_t e = 1; e < n_experts; ++e) largest = pick(scores[e] > largest, scores[e], largest);
  Floats sum = zero(), chosen_sum = zero();
  for (std::int64_t e = 0; e < n_experts; ++e) {
    p[e] = exp_lanes(scores[e] - largest);
    sum += p[e];
    chosen_sum += p[e] * chosen[e];
  }
  const Floats scale = all_lanes(1.0F) / sum;
  if (s.n_active() == 1 && !view.is_switch) {
    for (std::int64_t e = 0; e < n_experts; ++e) gate[e] = chosen[e];
  } else {
    const Floats gate_scale = view.is_switch ? scale : all_lanes(1.0F) / chosen_sum;
    for (std::int64_t e = 0; e < n_experts; ++e) gate[e] = p[e] * chosen[e] * gate_scale;
  }
  for (std::int64_t e = 0; e < n_experts; ++e) p[e] *= scale;
}

// Draws and routes inputs [first, first + kTile) of the step; inputs behind the batch count for nothing.
template <typename S>
HWY_INLINE void route_tile(const S& s, LaneView& view, std::uint32_t step, std::int64_t first, std::int64_t place) {
  const std::int64_t n = s.n(), n_experts = s.n_experts();
  Floats* x = vectors(view.x) + place * n;
  Floats* counts = vectors(view.counts);
  draw_tile(s, view, step, first, x);
  for (std::int64_t t = 0; t < kTile; ++t) {
    Floats* xt = x + t * n;
    Floats* gate = vectors(view.gate) + (place + t) * n_experts;
    Floats* chosen = vectors(view.chosen) + (place + t) * n_experts;
    Floats* p = vectors(view.p) + (place + t) * n_experts;
    if (first + t >= view.batch) {
      for (std::int64_t i = 0; i < n; ++i) xt[i] = zero();
      for (std::int64_t e = 0; e < n_experts; ++e) gate[e] = chosen[e] = p[e] = zero();
      continue;
    }
    const Words tie_word = view.tie_begin > 0 ? vectors(view.words)[t * view.stride + view.tie_begin] : no_words();
    Floats* scores = vectors(view.scores);
    score(s, view, xt, scores);
    choose(s, view, scores, tie_word, chosen);
    weigh(s, view, scores, chosen, p, gate);
    Floats counted = all_lanes(1.0F);
    if (view.exclude_zero) {
      Floats total = zero();
      for (std::int64_t i = 0; i < n; ++i) total += xt[i];
      counted = pick(total > zero(), counted, zero());
      for (std::int64_t e = 0; e < n_experts; ++e) {
        gate[e] *= counted;
        chosen[e] *= counted;
        p[e] *= counted;
      }
    }
    for (std::int64_t e = 0; e < n_experts; ++e) counts[e] += chosen[e];
    counts[n_experts] += counted;
    if (view.balance_coef > 0) {
      for (std::int64_t e = 0; e < n_experts; ++e) vectors(view.p_sums)[e] += p[e];
    }
  }
}

// --- products with one expert's W [n, m] ---

// out[t, j] = sum_i in[t, i] W[i, j] for `Columns` columns from `j`.
template <int Columns>
HWY_INLINE void project_columns(const Floats* in, const Floats* w, std::int64_t n, std::int64_t m, std::int64_t j,
                                Floats* out) {
  Floats sum[kTile][Columns];
  for (auto& row : sum) {
    for (Floats& each : row) each = zero();
  }
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t t = 0; t < kTile; ++t) {
      for (int c = 0; c < Columns; ++c) sum[t][c] += in[t * n + i] * w[i * m + j + c];
    }
  }
  for (std::int64_t t = 0; t < kTile; ++t) {
    for (int c = 0; c < Columns; ++c) out[t * m + j + c] = sum[t][c];
  }
}

HWY_INLINE void project(const Floats* in, const Floats* w, std::int64_t n, std::int64_t m, Floats* out) {
  std::int64_t j = 0;
  for (; j + kBlock <= m; j += kBlock) project_columns<kBlock>(in, w, n, m, j, out);
  if (m - j == 3) project_columns<3>(in, w, n, m, j, out);
  if (m - j == 2) project_columns<2>(in, w, n, m, j, out);
  if (m - j == 1) project_columns<1>(in, w, n, m, j, out);
}

// y[t, i] = max(0, sum_j h[t, j] W[i, j] + b[i]) for `Rows` rows from `i`; y of two inputs lie `y_stride` apart.
template <int Rows>
HWY_INLINE void expand_rows(const Floats* h, const Floats* w, const Floats* b, std::int64_t m, std::int64_t i,
                            Floats* y, std::int64_t y_stride) {
  Floats sum[kTile][Rows];
  for (std::int64_t t = 0; t < kTile; ++t) {
    for (int r = 0; r < Rows; ++r) sum[t][r] = b[i + r];
  }
  for (std::int64_t j = 0; j < m; ++j) {
    for (std::int64_t t = 0; t < kTile; ++t) {
      for (int r = 0; r < Rows; ++r) sum[t][r] += h[t * m + j] * w[(i + r) * m + j];
    }
  }
  for (std::int64_t t = 0; t < kTile; ++t) {
    for (int r = 0; r < Rows; ++r) y[t * y_stride + i + r] = pick(sum[t][r] <= zero(), zero(), sum[t][r]);
  }
}

HWY_INLINE void expand(const Floats* h, const Floats* w, const Floats* b, std::int64_t n, std::int64_t m, Floats* y,
                       std::int64_t y_stride) {
  std::int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock) expand_rows<kBlock>(h, w, b, m, i, y, y_stride);
  if (n - i == 3) expand_rows<3>(h, w, b, m, i, y, y_stride);
  if (n - i == 2) expand_rows<2>(h, w, b, m, i, y, y_stride);
  if (n - i == 1) expand_rows<1>(h, w, b, m, i, y, y_stride);
}

// dW[i, j] += sum_t dz[t, i] h[t, j] + x[t, i] dh[t, j] for `Columns` columns from `j`.
template <int Columns>
HWY_INLINE void add_outer_columns(const Floats* dz, const Floats* h, const Floats* x, const Floats* dh, std::int64_t n,
                                  std::int64_t m, std::int64_t j, Floats* dw) {
  for (std::int64_t i = 0; i < n; ++i) {
    Floats sum[Columns];
    for (int c = 0; c < Columns; ++c) sum[c] = dw[i * m + j + c];
    for (std::int64_t t = 0; t < kTile; ++t) {
      for (int c = 0; c < Columns; ++c) {
        sum[c] += dz[t * n + i] * h[t * m + j + c];
        sum[c] += x[t * n + i] * dh[t * m + j + c];
      }
    }
    for (int c = 0; c < Columns; ++c) dw[i * m + j + c] = sum[c];
  }
}

HWY_INLINE void add_outer(const Floats* dz, const Floats* h, const Floats* x, const Floats* dh, std::int64_t n,
                          std::int64_t m, Floats* dw) {
  std::int64_t j = 0;
  for (; j + kBlock <= m; j += kBlock) add_outer_columns<kBlock>(dz, h, x, dh, n, m, j, dw);
  if (m - j == 3) add_outer_columns<3>(dz, h, x, dh, n, m, j, dw);
  if (m - j == 2) add_outer_columns<2>(dz, h, x, dh, n, m, j, dw);
  if (m - j == 1) add_outer_columns<1>(dz, h, x, dh, n, m, j, dw);
}

// kept[j] = 1 for the n_top largest |h_j|, ties to the lower j; h becomes 0 elsewhere.
HWY_INLINE void keep_largest(std::int64_t n_top, std::int64_t m, Floats* h, Floats* kept) {
  for (std::int64_t j = 0; j < m; ++j) {
    const Floats size = hn::Abs(h[j]);
    Floats n_before = zero();
    for (std::int64_t other = 0; other < m; ++other) {
      const Floats other_size = hn::Abs(h[other]);
      const Floats if_equal = all_lanes(other < j ? 1.0F : 0.0F);
      n_before += pick(other_size > size, all_lanes(1.0F), pick(other_size == size, if_equal, zero()));
    }
    kept[j] = pick(n_before < all_lanes(static_cast<float>(n_top)), all_lanes(1.0F), zero());
  }
  for (std::int64_t j = 0; j < m; ++j) h[j] *= kept[j];
}

// --- one tile through the experts ---

template <typename S>
HWY_INLINE void forward_tile(const S& s, LaneView& view, const Floats* x) {
  const std::int64_t n = s.n(), m = s.m(), n_experts = s.n_experts();
  for (std::int64_t e = 0; e < n_experts; ++e) {
    const Floats* w = vectors(view.parameters) + e * n * m;
    Floats* h = vectors(view.hidden) + e * kTile * m;
    project(x, w, n, m, h);
    if (view.n_top_activations > 0) {
      for (std::int64_t t = 0; t < kTile; ++t) {
        keep_largest(view.n_top_activations, m, h + t * m, vectors(view.kept) + (e * kTile + t) * m);
      }
    }
    expand(h, w, vectors(view.parameters) + n_experts * n * m + e * n, n, m, vectors(view.y) + e * n, n_experts * n);
  }
}

// dL/dx_hat of the tile, and its loss added.
template <typename S>
HWY_INLINE void loss_tile(const S& s, LaneView& view, const Floats* x, const Floats* gate, float scale) {
  const std::int64_t n = s.n(), n_experts = s.n_experts();
  const Floats* importance = vectors(view.importance);
  Floats sum = zero();
  for (std::int64_t t = 0; t < kTile; ++t) {
    const Floats* y = vectors(view.y) + t * n_experts * n;
    for (std::int64_t i = 0; i < n; ++i) {
      Floats x_hat = zero();
      for (std::int64_t e = 0; e < n_experts; ++e) x_hat += gate[t * n_experts + e] * y[e * n + i];
      const Floats residual = x_hat - x[t * n + i];
      const Floats weighted = importance[i] * residual;
      sum += weighted * residual;
      vectors(view.x_gradient)[t * n + i] = weighted * all_lanes(2 * scale);
    }
  }
  vectors(view.loss)[0] += sum * all_lanes(scale);
}

template <typename S>
HWY_INLINE void backward_experts(const S& s, LaneView& view, const Floats* x, const Floats* gate) {
  const std::int64_t n = s.n(), m = s.m(), n_experts = s.n_experts();
  Floats* dz = vectors(view.z_gradient);
  Floats* dh = vectors(view.hidden_gradient);
  for (std::int64_t e = 0; e < n_experts; ++e) {
    const Floats* h = vectors(view.hidden) + e * kTile * m;
    Floats* db = vectors(view.gradient) + n_experts * n * m + e * n;
    for (std::int64_t t = 0; t < kTile; ++t) {
      const Floats* y = vectors(view.y) + (t * n_experts + e) * n;
      const Floats weight = gate[t * n_experts + e];
      for (std::int64_t i = 0; i < n; ++i) {
        dz[t * n + i] = pick(y[i] > zero(), weight * vectors(view.x_gradient)[t * n + i], zero());
        db[i] += dz[t * n + i];
      }
    }
    project(dz, vectors(view.parameters) + e * n * m, n, m, dh);
    if (view.n_top_activations > 0) {
      for (std::int64_t q = 0; q < kTile * m; ++q) dh[q] *= vectors(view.kept)[e * kTile * m + q];
    }
    add_outer(dz, h, x, dh, n, m, vectors(view.gradient) + e * n * m);
  }
}

// `balance`: balance_coef E / N, [1]; ignored where the balance coefficient is 0.
template <typename S>
HWY_INLINE void backward_router(const S& s, LaneView& view, std::int64_t place, const Floats& balance) {
  const std::int64_t n = s.n(), n_experts = s.n_experts();
  const bool balanced = view.balance_coef > 0;
  const Floats* counts = vectors(view.counts);
  const Floats share = all_lanes(1.0F) / pick(counts[n_experts] > zero(), counts[n_experts], all_lanes(1.0F));
  Floats* dgate = vectors(view.gradient) + n_experts * n * (s.m() + 1);
  Floats* ds = vectors(view.scores);
  for (std::int64_t t = 0; t < kTile; ++t) {
    const Floats* x = vectors(view.x) + (place + t) * n;
    const Floats* gate = vectors(view.gate) + (place + t) * n_experts;
    const Floats* p = vectors(view.p) + (place + t) * n_experts;
    Floats mean = zero(), balance_mean = zero();
    for (std::int64_t e = 0; e < n_experts; ++e) {
      ds[e] = zero();
      if (view.gate_gradient) {
        const Floats* y = vectors(view.y) + (t * n_experts + e) * n;
        Floats c = zero();
        for (std::int64_t i = 0; i < n; ++i) c += vectors(view.x_gradient)[t * n + i] * y[i];
        ds[e] = gate[e] * c;
        mean += ds[e];
      }
      if (balanced) balance_mean += counts[e] * share * p[e];
    }
    for (std::int64_t e = 0; e < n_experts; ++e) {
      if (view.gate_gradient) ds[e] -= (view.is_switch ? p[e] : gate[e]) * mean;
      if (balanced) ds[e] += balance * p[e] * (counts[e] * share - balance_mean);
      for (std::int64_t i = 0; i < n; ++i) dgate[e * n + i] += ds[e] * x[i];
    }
  }
}

template <typename S>
HWY_INLINE void run_step(const S& s, LaneView& view, std::uint32_t step) {
  const std::int64_t n = s.n(), n_experts = s.n_experts(), batch = view.batch;
  const bool balanced = view.balance_coef > 0;
  const bool router_learns = (view.gate_gradient || balanced) && !view.is_frozen;
  for (std::int64_t q = 0; q < view.n_parameters; ++q) vectors(view.gradient)[q] = zero();
  for (std::int64_t e = 0; e <= n_experts; ++e) vectors(view.counts)[e] = zero();
  for (std::int64_t e = 0; e < n_experts; ++e) vectors(view.p_sums)[e] = zero();
  vectors(view.loss)[0] = zero();
  for (std::int64_t first = 0; first < batch; first += view.chunk) {
    const std::int64_t size = view.chunk < batch - first ? view.chunk : batch - first;
    for (std::int64_t place = 0; place < size; place += kTile) route_tile(s, view, step, first + place, place);
    const Floats* counts = vectors(view.counts);
    const Floats n_counted = pick(counts[n_experts] > zero(), counts[n_experts], all_lanes(1.0F));
    const Floats balance = all_lanes(view.balance_coef * static_cast<float>(n_experts)) / n_counted;
    for (std::int64_t place = 0; place < size; place += kTile) {
      const Floats* x = vectors(view.x) + place * n;
      const Floats* gate = vectors(view.gate) + place * n_experts;
      forward_tile(s, view, x);
      loss_tile(s, view, x, gate, view.loss_scale);
      backward_experts(s, view, x, gate);
      if (router_learns) backward_router(s, view, place, balance);
    }
    if (balanced) {
      Floats sum = zero();
      for (std::int64_t e = 0; e < n_experts; ++e) sum += counts[e] * vectors(view.p_sums)[e];
      vectors(view.loss)[0] += balance / n_counted * sum;
    }
  }
}

HWY_INLINE void run_update(LaneView& view, const AdamStep& adam) {
  const Floats beta1 = all_lanes(adam.beta1), rest1 = all_lanes(1 - adam.beta1);
  const Floats beta2 = all_lanes(adam.beta2), rest2 = all_lanes(1 - adam.beta2);
  const Floats decay = all_lanes(adam.decay), rate = all_lanes(adam.rate);
  const Floats root_scale = all_lanes(adam.root_scale), eps = all_lanes(adam.eps);
  for (std::int64_t q = 0; q < view.n_learned; ++q) {
    const Floats gradient = vectors(view.gradient)[q];
    Floats& first = vectors(view.first_moment)[q];
    Floats& second = vectors(view.second_moment)[q];
    Floats& value = vectors(view.parameters)[q];
    first = first * beta1 + gradient * rest1;
    second = second * beta2 + gradient * gradient * rest2;
    value = value * decay - rate * first / (hn::Sqrt(second) * root_scale + eps);
  }
}

template <int N, int M, int E, int K>
void step_of_shape(LaneView& view, std::uint32_t step) {
  run_step(KnownSizes<N, M, E, K>{view}, view, step);
}

void update_all(LaneView& view, const AdamStep& adam) { run_update(view, adam); }

// The shapes of the published phase diagrams have kernels of their own.
void step_of_best_shape(LaneView& view, std::uint32_t step) {
  const auto is = [&](std::int64_t n, std::int64_t m, std::int64_t n_experts) {
    return view.n == n && view.m == m && view.n_experts == n_experts && view.n_active == 1;
  };
  if (is(2, 1, 1)) return step_of_shape<2, 1, 1, 1>(view, step);
  if (is(2, 1, 2)) return step_of_shape<2, 1, 2, 1>(view, step);
  if (is(3, 1, 1)) return step_of_shape<3, 1, 1, 1>(view, step);
  if (is(3, 1, 2)) return step_of_shape<3, 1, 2, 1>(view, step);
  if (is(3, 1, 3)) return step_of_shape<3, 1, 3, 1>(view, step);
  if (is(3, 2, 1)) return step_of_shape<3, 2, 1, 1>(view, step);
  if (is(3, 2, 2)) return step_of_shape<3, 2, 2, 1>(view, step);
  if (is(3, 2, 3)) return step_of_shape<3, 2, 3, 1>(view, step);
  step_of_shape<0, 0, 0, 0>(view, step);
}

[[maybe_unused]] LaneKernels kernels_of_target() {
  return {kWidth, hwy::TargetName(HWY_TARGET), step_of_best_shape, step_of_shape<0, 0, 0, 0>, update_all};
}

}  // namespace
}  // namespace moescope::toy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // MOESCOPE_TOY_LANES_KERNEL_H_
