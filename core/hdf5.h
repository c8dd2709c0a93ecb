// HDF5 handles that close themselves, and typed reads and writes whose errors name file and dataset.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace likeness::h5 {

// Owns an hid_t of any kind. Not thread-safe: HDF5 in Debian is built without its lock, so keep each file on one thread.
class Handle {
 public:
  Handle() = default;
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& o) noexcept : id_(o.id_), close_(o.close_) { o.id_ = -1; }
  Handle& operator=(Handle&& o) noexcept;
  ~Handle() { reset(); }
  void reset();
  hid_t release() { return std::exchange(id_, -1); }  // the caller closes it
  operator hid_t() const { return id_; }
  bool valid() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

// A file opened to read or created to write. kData (read) or kEnvironment (write) errors name path and item.
class File {
 public:
  static File open(const std::filesystem::path& path);
  static File create(const std::filesystem::path& path);

  bool has(const std::string& name) const;  // dataset or group, "a/b"
  std::vector<hsize_t> shape(const std::string& dataset) const;

  // T: float, double, int8..int64, uint8..uint64. Reading converts the stored type to T.
  template <class T> std::vector<T> read(const std::string& dataset) const;
  template <class T> void write(const std::string& dataset, const T* values, const std::vector<hsize_t>& shape);
  template <class T> void write(const std::string& dataset, const std::vector<T>& values) {
    write(dataset, values.data(), {values.size()});
  }
  // Variable-length UTF-8 strings.
  std::vector<std::string> read_strings(const std::string& dataset) const;
  void write_strings(const std::string& dataset, const std::vector<std::string>& values);

  bool has_attribute(const std::string& name) const;  // of the root group
  std::string text_attribute(const std::string& name) const;
  std::int64_t int_attribute(const std::string& name) const;
  void set_attribute(const std::string& name, const std::string& value);
  void set_attribute(const std::string& name, std::int64_t value);

  // A contiguous, early allocated u8 dataset of `size` bytes and its byte offset in the file (H5Dget_offset), so that it can
  // be written and mapped without HDF5.
  std::uint64_t create_blob(const std::string& dataset, std::uint64_t size);
  std::uint64_t blob_offset(const std::string& dataset, std::uint64_t* size) const;

  void close();  // flushes; throws on failure, where the destructor cannot
  hid_t id() const { return file_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  Handle file_;
  std::filesystem::path path_;
};

}  // namespace likeness::h5
