#include "train/profile.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "core/file.h"

namespace likeness::train {
namespace {

constexpr const char* kStep = "step";

bool is_step(const TraceSpan& span) { return span.depth == 0 && std::string(span.name) == kStep; }

double milliseconds(const TraceSpan& span) { return 1e-6 * static_cast<double>(span.end - span.begin); }

}  // namespace

ProfileSummary summarise_steps(const std::vector<TraceTrack>& tracks) {
  ProfileSummary s;
  const auto track = std::find_if(tracks.begin(), tracks.end(), [](const TraceTrack& t) {
    return std::any_of(t.spans.begin(), t.spans.end(), is_step);
  });
  if (track == tracks.end()) return s;
  std::map<std::string, double> sums;
  double covered = 0, within = 0;  // `within`: phases that ended and whose step has not ended yet
  std::map<std::string, double> open;
  for (const TraceSpan& span : track->spans) {
    if (span.depth == 1) {
      open[span.name] += milliseconds(span);
      within += milliseconds(span);
    } else if (span.depth == 0) {
      if (is_step(span)) {
        ++s.steps;
        s.milliseconds += milliseconds(span);
        covered += within;
        for (const auto& [name, time] : open) sums[name] += time;
      }
      open.clear();
      within = 0;
    }
  }
  sums["other"] += s.milliseconds - covered;
  const auto n = static_cast<double>(s.steps);
  s.milliseconds /= n;
  for (const auto& [name, time] : sums) s.phases.emplace_back(name, time / n);
  std::stable_sort(s.phases.begin(), s.phases.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return s;
}

std::string phases_text(const ProfileSummary& summary) {
  std::string text;
  for (const auto& [name, time] : summary.phases) {
    char share[32];
    std::snprintf(share, sizeof share, " %.1f %%", 100 * time / summary.milliseconds);
    text += (text.empty() ? "" : ", ") + name + share;
  }
  return text;
}

StepProfile::StepProfile(std::int64_t steps, std::int64_t left, std::filesystem::path file, int rank)
    : state_(steps > 0 ? State::kWaiting : State::kDone),
      warm_up_(std::clamp<std::int64_t>(left - steps, 0, kWarmUp)),
      steps_(steps),
      file_(std::move(file)),
      rank_(rank) {
  if (steps > 0) name_thread("training");
}

StepProfile::~StepProfile() {
  if (state_ == State::kRecording) stop_trace();
}

void StepProfile::before_step() {
  if (state_ == State::kRecording && seen_ == warm_up_ + steps_) write();
  if (state_ == State::kWaiting && seen_ == warm_up_) {
    start_trace();
    state_ = State::kRecording;
  }
  ++seen_;
}

const ProfileSummary& StepProfile::finish() {
  if (state_ == State::kRecording) write();
  state_ = State::kDone;
  return summary_;
}

void StepProfile::write() {
  state_ = State::kDone;
  const std::vector<TraceTrack> tracks = stop_trace();
  summary_ = summarise_steps(tracks);
  write_atomically(file_, IfExists::kReplace, chrome_trace(tracks, rank_, "rank " + std::to_string(rank_)));
  summary_.file = file_;
}

}  // namespace likeness::train
