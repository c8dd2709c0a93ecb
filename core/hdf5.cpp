#include "core/hdf5.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/hdf5_internal.h"

namespace likeness::h5 {
namespace {

namespace fs = std::filesystem;

// What the innermost frame of HDF5's error stack says; of a failed system call, the system's own words.
std::string last_error() {
  std::string text;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned n, const H5E_error2_t* frame, void* out) -> herr_t {
        if (n == 0 && frame->desc != nullptr) *static_cast<std::string*>(out) = frame->desc;
        return 0;
      },
      &text);
  constexpr std::string_view kSystem = "error message = '";
  if (const auto at = text.find(kSystem); at != std::string::npos) {
    const auto begin = at + kSystem.size();
    return text.substr(begin, text.find('\'', begin) - begin);
  }
  return text.substr(0, 300);
}

std::string place(const fs::path& path, const std::string& item) {
  return item.empty() ? path.string() : path.string() + ": " + item;
}

}  // namespace

void initialise() {
  static const bool once = [] {
    H5dont_atexit();
    H5open();
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    return true;
  }();
  (void)once;
}

void fail_read(const fs::path& path, const std::string& item, const std::string& what) {
  fail_read(path, item, what, last_error());
}

void fail_read(const fs::path& path, const std::string& item, const std::string& what, const std::string& got) {
  fail_data({.what = what, .where = place(path, item), .got = got});
}

void fail_write(const fs::path& path, const std::string& item) {
  const std::string got = last_error();
  const bool full = got.find("No space left") != std::string::npos || got.find("too large") != std::string::npos ||
                    got.find("quota") != std::string::npos;
  fail_environment({.what = full ? "disk is full or the quota is used up" : "HDF5 file cannot be written",
                    .where = place(path, item),
                    .got = got});
}

Handle space_of(const std::vector<hsize_t>& shape) {
  return {H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose};
}

std::vector<hsize_t> shape_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  const int rank = space.valid() ? H5Sget_simple_extent_ndims(space) : 0;
  std::vector<hsize_t> shape(static_cast<std::size_t>(std::max(rank, 0)));
  if (!shape.empty()) H5Sget_simple_extent_dims(space, shape.data(), nullptr);
  return shape;
}

Handle create_dataset(const File& file, const std::string& name, hid_t type, hid_t space, hid_t properties) {
  const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links, 1);
  Handle dataset(H5Dcreate2(file.id(), name.c_str(), type, space, links, properties, H5P_DEFAULT), H5Dclose);
  if (!dataset.valid()) fail_write(file.path(), name);
  return dataset;
}

Handle open_dataset(const File& file, const std::string& name) {
  if (!file.has(name)) fail_read(file.path(), name, "dataset is missing", "");
  Handle dataset(H5Dopen2(file.id(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset.valid()) fail_read(file.path(), name, "dataset cannot be opened");
  return dataset;
}

std::optional<std::uint64_t> float_offset(const File& file, const std::string& name) {
  const Handle dataset = open_dataset(file, name);
  const Handle type(H5Dget_type(dataset), H5Tclose);
  const Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  if (H5Tequal(type, H5T_NATIVE_FLOAT) <= 0 || H5Pget_layout(properties) != H5D_CONTIGUOUS ||
      H5Pget_external_count(properties) > 0)
    return std::nullopt;
  const haddr_t offset = H5Dget_offset(dataset);
  if (offset == HADDR_UNDEF || offset % alignof(float) != 0) return std::nullopt;
  double claimed = sizeof(float);
  for (const hsize_t n : shape_of(dataset)) claimed *= static_cast<double>(n);
  const std::uint64_t file_size = fs::file_size(file.path());
  if (offset > file_size || claimed > static_cast<double>(file_size - offset))
    fail_read(file.path(), name, "dataset reaches past the end of the file",
              fmt::format("{:.0f} bytes claimed, file of {}", claimed, file_size));
  return offset;
}

Handle& Handle::operator=(Handle&& o) noexcept {
  std::swap(id_, o.id_);
  std::swap(close_, o.close_);
  return *this;
}

void Handle::reset() {
  if (id_ >= 0 && close_ != nullptr) close_(id_);
  id_ = -1;
}

File File::open(const fs::path& path) {
  initialise();
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    fail_read(path, "", fs::exists(path, error) ? "not a regular file" : "file not found", "");
  }
  if (H5Fis_hdf5(path.c_str()) <= 0)
    fail_read(path, "", "not an HDF5 file", fmt::format("{} bytes", fs::file_size(path, error)));
  File file;
  file.path_ = path;
  file.file_ = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file.file_.valid()) fail_read(path, "", "HDF5 file cannot be opened");
  return file;
}

File File::create(const fs::path& path) {
  initialise();
  File file;
  file.path_ = path;
  file.file_ = Handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  if (!file.file_.valid()) fail_write(path, "");
  return file;
}

bool File::has(const std::string& name) const {
  // H5Lexists wants every group on the way to exist.
  for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    if (slash > 0 && H5Lexists(file_, name.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
  }
  return H5Lexists(file_, name.c_str(), H5P_DEFAULT) > 0 && H5Oexists_by_name(file_, name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<hsize_t> File::shape(const std::string& name) const { return shape_of(open_dataset(*this, name)); }

std::uint64_t File::create_blob(const std::string& name, std::uint64_t size) {
  const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_layout(properties, H5D_CONTIGUOUS);
  H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);  // the offset is known, and final, at once
  H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);    // the caller writes every byte
  const Handle dataset = create_dataset(*this, name, H5T_NATIVE_UINT8, space_of({size}), properties);
  if (size == 0) return 0;
  const haddr_t offset = H5Dget_offset(dataset);
  if (offset == HADDR_UNDEF) fail_write(path_, name);
  return offset;
}

std::uint64_t File::blob_offset(const std::string& name, std::uint64_t* size) const {
  const Handle dataset = open_dataset(*this, name);
  const Handle type(H5Dget_type(dataset), H5Tclose);
  const Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  const std::vector<hsize_t> shape = shape_of(dataset);
  if (H5Tget_class(type) != H5T_INTEGER || H5Tget_size(type) != 1 || shape.size() != 1 ||
      H5Pget_layout(properties) != H5D_CONTIGUOUS || H5Pget_external_count(properties) > 0) {
    fail_read(path_, name, "dataset is not one contiguous run of bytes", "");
  }
  *size = shape[0];
  if (*size == 0) return 0;
  const haddr_t offset = H5Dget_offset(dataset);
  const std::uint64_t file_size = fs::file_size(path_);
  if (offset == HADDR_UNDEF || offset > file_size || *size > file_size - offset) {
    fail_read(path_, name, "dataset reaches past the end of the file",
              fmt::format("{} bytes claimed, file of {}", *size, file_size));
  }
  return offset;
}

void File::close() {
  if (!file_.valid()) return;
  // Whatever comes of it, nobody closes it again.
  if (H5Fclose(file_.release()) < 0) fail_write(path_, "");
}

}  // namespace likeness::h5
