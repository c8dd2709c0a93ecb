// The field's verification packs (lfw.bin, cfp_fp.bin, agedb_30.bin …): a Python pickle of (2P encoded pictures, P
// booleans); pair p is pictures 2p and 2p+1. Read by the whitelisting machine of core/pickle.h: no code ever runs.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/face_source.h"

namespace likeness::data {

// A pack as it is read: spans point into `file` or into values that `root` owns.
struct VerificationPack {
  std::shared_ptr<const void> root;
  std::vector<std::span<const std::byte>> pictures;  // [2P]
  std::vector<bool> same;                            // [P]
};
VerificationPack parse_verification_pack(std::span<const std::byte> file, const std::string& where);

// A pack as a face source without identities (every label is -1) but with pairs(). Pickle protocols 0 to 5 of Python 2
// and 3; pictures as byte strings or u8 arrays of numpy, booleans as such, as integers, numpy scalars or one array.
// Errors: kData naming file and place, also for a number of pictures that is not twice that of booleans.
std::unique_ptr<FaceSource> open_verification_bin(const std::filesystem::path& path);

}  // namespace likeness::data
