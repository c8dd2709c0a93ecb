// A folder with one folder for each identity, as torchvision's ImageFolder and most downloads have it.
#pragma once

#include <filesystem>
#include <memory>

#include "data/face_source.h"

namespace likeness::data {

// Identities are the folders in sorted order (by bytes), pictures the *.jpg, *.jpeg and *.png below them, sorted too,
// at any depth. A folder whose only folder is `images` is entered. Keys are paths relative to `folder`, with '/'.
// Opening lists names and reads the first picture's size; files are read when asked for.
// kData when a folder holds neither identities nor pictures, or pictures lie beside the identity folders.
std::unique_ptr<FaceSource> open_image_folder(const std::filesystem::path& folder);

}  // namespace likeness::data
