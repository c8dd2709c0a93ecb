#include "data/identity_index.h"

#include <algorithm>

namespace likeness::data {
namespace {

std::vector<std::int64_t> labels_of(const FaceSource& source) {
  std::vector<std::int64_t> labels(static_cast<std::size_t>(source.size()));
  for (std::int64_t i = 0; i < source.size(); ++i) labels[static_cast<std::size_t>(i)] = source.label(i);
  return labels;
}

}  // namespace

IdentityIndex::IdentityIndex(const FaceSource& source) : IdentityIndex(labels_of(source)) {}

IdentityIndex::IdentityIndex(const std::vector<std::int64_t>& labels) {
  const std::int64_t highest = labels.empty() ? -1 : *std::max_element(labels.begin(), labels.end());
  std::vector<std::int64_t> count(static_cast<std::size_t>(highest + 1)), place(count.size());
  for (std::int64_t label : labels)
    if (label >= 0) ++count[static_cast<std::size_t>(label)];
  begin_.push_back(0);
  for (std::size_t c = 0; c < count.size(); ++c) {
    place[c] = begin_.back();
    if (count[c] >= 2) begin_.push_back(begin_.back() + count[c]);
  }
  pictures_.resize(static_cast<std::size_t>(begin_.back()));
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] >= 0 && count[static_cast<std::size_t>(labels[i])] >= 2)
      pictures_[static_cast<std::size_t>(place[static_cast<std::size_t>(labels[i])]++)] = static_cast<std::int64_t>(i);
}

std::span<const std::int64_t> IdentityIndex::pictures(std::int64_t i) const {
  const auto begin = static_cast<std::size_t>(begin_[static_cast<std::size_t>(i)]),
             end = static_cast<std::size_t>(begin_[static_cast<std::size_t>(i) + 1]);
  return std::span(pictures_).subspan(begin, end - begin);
}

}  // namespace likeness::data
