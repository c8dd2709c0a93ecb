#include "tests/gpu/report.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace likeness::gpu {
namespace {

at::Tensor as_f64(const at::Tensor& t) { return t.detach().cpu().to(at::kDouble).contiguous().flatten(); }

void print(const CheckRow& r) {
  const char* verdict = !r.counts ? (r.passed ? "yes" : "no") : r.passed ? "ok" : "FAILED";
  std::fprintf(stderr, "%-44s %-5s %6lld cases  worst %8.1e  limit %8.1e  %s", r.name.c_str(), r.precision.c_str(),
               static_cast<long long>(r.cases), r.worst, r.limit, verdict);
  if (!r.passed) std::fprintf(stderr, "  (%s)", r.where.c_str());
  std::fprintf(stderr, "\n");
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

void Comparison::add_error(const std::string& where, double error) {
  ++cases_;
  if (std::isnan(error)) error = INFINITY;
  if (cases_ > 1 && error <= worst_) return;
  worst_ = error, where_ = where;
}

void Comparison::add(const std::string& where, const at::Tensor& got_any, const at::Tensor& want_any, double floor) {
  const at::NoGradGuard no_grad;
  if (got_any.sizes() != want_any.sizes()) return add_error(where + ", shape", INFINITY);
  const at::Tensor got = as_f64(got_any), want = as_f64(want_any);
  const double *g = got.const_data_ptr<double>(), *w = want.const_data_ptr<double>();
  double worst = 0;
  for (std::int64_t i = 0; i < got.numel(); ++i) {
    if (g[i] == w[i]) continue;  // infinities, too
    const double error = std::abs(g[i] - w[i]) / std::max(std::abs(w[i]), floor);
    worst = std::max(worst, std::isfinite(error) ? error : INFINITY);
  }
  add_error(where, worst);
}

void Comparison::add(const std::string& where, const at::Tensor& got, const at::Tensor& want) {
  const at::Tensor flat = as_f64(want);
  double largest = 0;
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    const double v = std::abs(flat.const_data_ptr<double>()[i]);
    if (std::isfinite(v)) largest = std::max(largest, v);
  }
  add(where, got, want, std::max(1e-3 * largest, 1e-300));
}

void Comparison::add_direction(const std::string& where, const at::Tensor& got, const at::Tensor& want) {
  const at::NoGradGuard no_grad;
  add_error(where, 1 - at::cosine_similarity(as_f64(got), as_f64(want), 0, 1e-300).item<double>());
}

void Comparison::add_distance(const std::string& where, const at::Tensor& got_any, const at::Tensor& want_any) {
  const at::NoGradGuard no_grad;
  if (got_any.sizes() != want_any.sizes()) return add_error(where + ", shape", INFINITY);
  const at::Tensor got = as_f64(got_any), want = as_f64(want_any);
  add_error(where, ((got - want).norm() / want.norm().clamp_min(1e-300)).item<double>());
}

void Comparison::add_equal(const std::string& where, const at::Tensor& got, const at::Tensor& want) {
  const bool equal = got.defined() == want.defined() && (!got.defined() || at::equal(got.cpu(), want.cpu()));
  add_error(where, equal ? 0 : INFINITY);
}

Report::Report(std::vector<std::pair<std::string, std::string>> machine, double tolerance, std::string only)
    : machine_(std::move(machine)), tolerance_(tolerance), only_(std::move(only)) {
  for (const auto& [name, value] : machine_) std::fprintf(stderr, "%-12s %s\n", name.c_str(), value.c_str());
}

CheckRow Report::run(const std::string& name, const std::string& precision, double limit,
                     const std::function<void(Comparison&)>& body) {
  CheckRow row{.name = name, .precision = precision, .limit = limit * tolerance_};
  Comparison comparison;
  std::string broken;
  try {
    body(comparison);
  } catch (const c10::Error& e) {
    broken = first_line(e.what_without_backtrace());
  } catch (const std::exception& e) {
    broken = first_line(e.what());
  }
  row.cases = comparison.cases_, row.worst = comparison.worst_;
  row.where = broken.empty() ? comparison.where_ : broken;
  row.passed = broken.empty() && row.cases > 0 && row.worst <= row.limit;
  return row;
}

void Report::check(const std::string& name, const std::string& precision, double limit,
                   const std::function<void(Comparison&)>& body) {
  if (!wants(name)) return;
  checks_.push_back(run(name, precision, limit, body));
  print(checks_.back());
}

void Report::state(const std::string& name, const std::string& precision,
                   const std::function<void(Comparison&)>& body) {
  if (!wants(name)) return;
  CheckRow row = run(name, precision, 0, body);
  row.counts = false;
  checks_.push_back(row);
  print(row);
}

void Report::add(SpeedRow row) {
  std::fprintf(stderr, "%-8s %9lld classes  batch %3lld  ", row.network.c_str(), static_cast<long long>(row.classes),
               static_cast<long long>(row.batch));
  if (row.note.empty()) {
    std::fprintf(stderr, "%8.1f pictures/s  %7.1f ms a step", row.pictures_per_second, row.step_ms);
    if (row.peak_bytes > 0) std::fprintf(stderr, "  peak %.2f GiB", static_cast<double>(row.peak_bytes) / (1 << 30));
    std::fprintf(stderr, "\n");
  } else {
    std::fprintf(stderr, "%s\n", row.note.c_str());
  }
  speeds_.push_back(std::move(row));
}

bool Report::passed() const {
  const auto counts = [](const CheckRow& r) { return r.counts; };
  return std::any_of(checks_.begin(), checks_.end(), counts) &&
         std::all_of(checks_.begin(), checks_.end(), [](const CheckRow& r) { return r.passed || !r.counts; });
}

void Report::print_summary(double seconds) const {
  std::int64_t failed = 0, cases = 0, counting = 0;
  for (const CheckRow& r : checks_)
    if (r.counts) ++counting, failed += !r.passed, cases += r.cases;
  std::fprintf(stderr, "%lld checks (%lld comparisons), %lld failed, %.0f s\n", static_cast<long long>(counting),
               static_cast<long long>(cases), static_cast<long long>(failed), seconds);
}

}  // namespace likeness::gpu
