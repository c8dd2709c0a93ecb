// TensorBoard's event files, written without TensorFlow: TFRecord framing around a few protobuf fields.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace likeness::train {

// CRC-32C (Castagnoli) with TFRecord's mask: ((crc >> 15) | (crc << 17)) + 0xa282ead8.
std::uint32_t masked_crc32c(std::span<const std::byte> bytes);

// The bytes of one record: u64 length, u32 masked crc of the length, payload, u32 masked crc of the payload
// (little-endian).
std::string tfrecord(const std::string& payload);

// Serialised `Event` messages.
std::string file_version_event(double wall_time);  // "brain.Event:2"
std::string scalar_event(double wall_time, std::int64_t step, const std::string& tag,
                         float value);  // Summary.Value.simple_value

// How often values of a series fell where. Bin i ends at edges[i], included in it or not; the first begins at `low`.
struct Histogram {
  double low = 0, high = 0;  // of the values
  double count = 0, sum = 0, sum_of_squares = 0;
  std::vector<double> edges, counts;
};
std::string histogram_event(double wall_time, std::int64_t step, const std::string& tag,
                            const Histogram& histogram);  // Summary.Value.histo
// `png`: an RGB picture of width x height.
std::string image_event(double wall_time, std::int64_t step, const std::string& tag, int width, int height,
                        const std::string& png);  // Summary.Value.image
std::string session_start_event(double wall_time,
                                std::int64_t step);  // makes TensorBoard drop what a crashed run wrote after `step`

// Appends to <folder>/events.out.tfevents.<unix time>.likeness. Each start of a run writes a file of its own, as
// TensorBoard expects. Not thread-safe. Errors: kEnvironment naming the file (disk full).
class EventWriter {
 public:
  EventWriter(const std::filesystem::path& folder, std::int64_t first_step);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;
  void scalar(std::int64_t step, const std::string& tag, double value);
  void histogram(std::int64_t step, const std::string& tag, const Histogram& histogram);
  void image(std::int64_t step, const std::string& tag, int width, int height, const std::string& png);

 private:
  void append(const std::string& event);
  std::filesystem::path path_;
  int file_ = -1;
};

}  // namespace likeness::train
