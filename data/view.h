// A contact sheet: some pictures of a set side by side, to see what one is about to train on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/crop.h"
#include "data/face_source.h"

namespace likeness::data {

struct ViewOptions {
  std::int64_t count = 64;  // pictures; fewer if there are not so many
  int columns = 8;
  int cell = 112;        // pixels, square; pictures are scaled to fit, never stretched
  std::string identity;  // this identity's pictures only; "": spread evenly over the set
  bool points = false;   // mark the five points, where they are known
};

// The picture numbers that a sheet shows. kUsage for an identity that is not there, naming the nearest.
std::vector<std::int64_t> choose_pictures(const FaceSource& source, const ViewOptions& options);

// The sheet. Errors: kUsage for a sheet beyond 2^28 pixels; kData for a picture that cannot be decoded.
Image contact_sheet(const FaceSource& source, const std::vector<std::int64_t>& pictures, const ViewOptions& options);

}  // namespace likeness::data
