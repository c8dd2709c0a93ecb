// The event file equals, byte for byte, what TensorBoard's own writer wrote.
#include "train/events.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The payloads of a TFRecord file, with both checksums verified.
std::vector<std::string> payloads(const std::string& bytes) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < bytes.size();) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, 8);
    if (length > bytes.size()) {
      ADD_FAILURE() << "length at " << at;
      break;
    }
    out.push_back(bytes.substr(at + 12, length));
    EXPECT_EQ(tfrecord(out.back()), bytes.substr(at, 16 + length)) << "framing of record " << out.size() - 1;
    at += 16 + length;
  }
  return out;
}

double wall_time(const std::string& event) {
  double t = 0;
  std::memcpy(&t, event.data() + 1, 8);
  return t;
}

TEST(Events, ChecksumsAgreeWithPublishedVectors) {
  // RFC 3720, B.4: 32 bytes of zeros have CRC-32C 8a9136aa.
  const std::vector<std::byte> zeros(32);
  const std::uint32_t crc = 0x8a9136aau;
  EXPECT_EQ(masked_crc32c(zeros), ((crc >> 15) | (crc << 17)) + 0xa282ead8u);
}

TEST(Events, ScalarsEqualTheReferenceWriterByteForByte) {
  const auto events = payloads(read(test::golden("tensorboard.events")));
  ASSERT_GT(events.size(), 40u);
  for (int step = 0; step < 20; ++step) {
    const std::string& loss = events[1 + 2 * static_cast<std::size_t>(step)];
    EXPECT_EQ(scalar_event(wall_time(loss), step, "loss", 10.0f / static_cast<float>(step + 1)), loss) << step;
    const std::string& rate = events[2 + 2 * static_cast<std::size_t>(step)];
    EXPECT_EQ(scalar_event(wall_time(rate), step, "lr", static_cast<float>(.1 * (1 - step / 20.))), rate) << step;
  }
  // A step beyond 32 bits.
  const std::string far = scalar_event(wall_time(events[1]), std::int64_t{1} << 33, "neg", -2.5f);
  EXPECT_TRUE(
      std::any_of(events.begin(), events.end(), [&](const std::string& e) { return e.substr(9) == far.substr(9); }));
}

TEST(Events, HistogramsAndPicturesEqualTheReferenceWriterByteForByte) {
  const auto events = payloads(read(test::golden("tensorboard_views.events")));
  ASSERT_EQ(events.size(), 3u);
  const double time = 1700000000.5;
  EXPECT_EQ(histogram_event(time, 40, "weights/conv.weight",
                            {.low = -2,
                             .high = 2,
                             .count = 7,
                             .sum = -1,
                             .sum_of_squares = 15,
                             .edges = {-1, 0, 1, 2},
                             .counts = {1, 2, 2, 2}}),
            events[0]);
  EXPECT_EQ(
      histogram_event(
          time, 0, "gradients/bn.bias",
          {.low = 0, .high = 3, .count = 3, .sum = 6, .sum_of_squares = 14, .edges = {1, 2, 3}, .counts = {1, 1, 1}}),
      events[1]);
  std::string png;
  for (int i = 0; i < 256; ++i) png.push_back(static_cast<char>(i));
  EXPECT_EQ(image_event(time, 0, "train/first_batch", 448, 224, png + "not a picture"), events[2]);
}

TEST(Events, TheVersionComesFirstAndARestartSaysWhereItBegins) {
  test::TempDir dir;
  {
    EventWriter first(dir.path(), 0);
    first.scalar(50, "train/loss", 3.5);
    EventWriter second(dir.path(), 50);  // same second, another file
    second.scalar(100, "train/loss", 2.5);
  }
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(std::filesystem::path(files[0]).filename().string().rfind("events.out.tfevents.", 0), 0u);
  const auto a = payloads(read(files[0])), b = payloads(read(files[1]));
  ASSERT_EQ(a.size(), 2u);
  ASSERT_EQ(b.size(), 3u);
  EXPECT_EQ(a[0], file_version_event(wall_time(a[0])));
  EXPECT_EQ(b[1], session_start_event(wall_time(b[1]), 51));
  EXPECT_EQ(b[2], scalar_event(wall_time(b[2]), 100, "train/loss", 2.5f));
}

TEST(Events, TensorBoardReadsThem) {
  const fs::path python = test::source_dir() / ".deps/python/bin/python";
  const auto has = [&] { return test::run_process(python, {"-c", "import tensorboard"}).exit_code == 0; };
  if (!fs::exists(python) || !has()) GTEST_SKIP() << "skipped: no tensorboard in .deps/python";
  test::TempDir dir;
  {
    EventWriter writer(dir.path(), 0);
    for (int step : {50, 100}) writer.scalar(step, "train/loss", 1.0 / step);
    writer.histogram(50, "weights/a", {.low = -1, .high = 3, .count = 4, .edges = {1, 3}, .counts = {3, 1}});
    writer.image(0, "train/first_batch", 4, 2, "png");
  }
  const char* script =
      "import sys\nfrom tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
      "a = EventAccumulator(sys.argv[1]); a.Reload()\nprint([(e.step, round(e.value, 6)) for e in "
      "a.Scalars('train/loss')])\n"
      "h = a.Histograms('weights/a')[0]; print(h.step, h.histogram_value.bucket_limit, h.histogram_value.bucket)\n"
      "i = a.Images('train/first_batch')[0]; print(i.width, i.height, i.encoded_image_string)";
  EXPECT_EQ(test::run_process(python, {"-c", script, dir.path()}).out,
            "[(50, 0.02), (100, 0.01)]\n50 [1.0, 3.0] [3.0, 1.0]\n4 2 b'png'\n");
}

}  // namespace
}  // namespace likeness::train
