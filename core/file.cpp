#include "core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/file_descriptor.h"

namespace likeness {

namespace fs = std::filesystem;

FileDescriptor::FileDescriptor(const fs::path& path, int flags, unsigned mode)
    : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

FileDescriptor open_to_read(const fs::path& path) {
  FileDescriptor file(path, O_RDONLY);
  if (file.get() < 0) {
    fail_data({.what = errno == ENOENT ? "file not found" : "file cannot be opened",
               .where = path.string(),
               .got = errno == ENOENT ? "" : std::strerror(errno)});
  }
  return file;
}

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  const FileDescriptor file = open_to_read(path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    fail_data({.what = "not a regular file",
               .where = path.string(),
               .got = S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe"});
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;  // mmap refuses an empty range
  void* data = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) {
    fail_environment({.what = "file cannot be mapped", .where = path.string(), .got = std::strerror(errno)});
  }
  data_ = static_cast<const std::byte*>(data);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

// Advice may be refused without harm: it changes speed, never contents.
void MappedFile::advise_random() const {
  if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_RANDOM);
}
void MappedFile::advise_sequential() const {
  if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_SEQUENTIAL);
}

std::size_t read_some(const FileDescriptor& file, std::span<std::byte> buffer, const fs::path& path) {
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) fail_data({.what = "file cannot be read", .where = path.string(), .got = std::strerror(errno)});
  }
}

std::string read_text(const fs::path& path) {
  const FileDescriptor file = open_to_read(path);
  std::string text;
  std::size_t size = 0;
  do {
    text.resize(size + 65536);
    const std::size_t n = read_some(file, std::as_writable_bytes(std::span(text).subspan(size)), path);
    text.resize(size + n);
  } while (std::exchange(size, text.size()) != text.size());
  return text;
}

}  // namespace likeness
