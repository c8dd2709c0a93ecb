// Inside core: what the sources of core/hdf5.h share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/hdf5.h"

namespace likeness::h5 {

// Comes before the first call of HDF5 in the process, whatever it is: HDF5 prints its error stack by default, and at exit
// flushes again (and crashes on) what failed to flush at close.
void initialise();

// kData and kEnvironment, naming file and item; without `got`, what HDF5's error stack says.
[[noreturn]] void fail_read(const std::filesystem::path& path, const std::string& item, const std::string& what);
[[noreturn]] void fail_read(const std::filesystem::path& path, const std::string& item, const std::string& what,
                            const std::string& got);
[[noreturn]] void fail_write(const std::filesystem::path& path, const std::string& item);

Handle space_of(const std::vector<hsize_t>& shape);
std::vector<hsize_t> shape_of(hid_t dataset);

// Creates "a/b" and the group "a" on the way.
Handle create_dataset(const File& file, const std::string& name, hid_t type, hid_t space,
                      hid_t properties = H5P_DEFAULT);
Handle open_dataset(const File& file, const std::string& name);

// Where the values of an f32 dataset lie, when they can be mapped as they are: contiguous, in this machine's byte order, aligned.
std::optional<std::uint64_t> float_offset(const File& file, const std::string& name);

}  // namespace likeness::h5
