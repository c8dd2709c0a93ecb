#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.h"
#include "core/file.h"
#include "core/file_descriptor.h"

namespace likeness {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail_write(const fs::path& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  fail_environment({.what = full ? "disk is full or the quota is used up" : "file cannot be written",
                    .where = path.string(),
                    .got = std::strerror(error),
                    .hint = full ? "free some space or write elsewhere; nothing was left behind" : ""});
}

// A hidden name in the same folder, so that a rename cannot cross file systems. The extension stays last: some writers
// choose a format by it.
fs::path beside(const fs::path& path, const char* role) {
  static std::atomic<unsigned> counter{0};
  const std::string name =
      fmt::format(".{}.{}-{}-{}{}", path.stem().string(), role, ::getpid(), counter++, path.extension().string());
  return path.parent_path() / name;
}

// Removes what a failed write left, whatever way the scope is left.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  ~Temporary() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  const fs::path& path() const { return path_; }
  void release() { path_.clear(); }

 private:
  fs::path path_;
};

// Errors of the writer name the output that the user asked for, not the temporary.
void write_temporary(const std::function<void(const fs::path&)>& write, const fs::path& temporary,
                     const fs::path& path) {
  try {
    write(temporary);
  } catch (const Error& e) {
    ErrorParts parts = e.parts();
    if (const auto at = parts.where.find(temporary.string()); at != std::string::npos) {
      parts.where.replace(at, temporary.string().size(), path.string());
    }
    throw Error(e.kind(), parts);
  }
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

void sync(const fs::path& path, const fs::path& reported) {
  const FileDescriptor file(path, O_RDONLY);
  // EINVAL: the file system has nothing to synchronise, which is not an error.
  if (file.get() < 0 || (::fsync(file.get()) != 0 && errno != EINVAL)) fail_write(reported, errno);
}

void refuse_existing(const fs::path& path) {
  fail_usage({.what = "output exists already", .where = path.string(), .hint = "--force replaces it"});
}

// Atomic, and with kRefuse also against another process that made `to` in the meantime.
void rename_into_place(const fs::path& from, const fs::path& to, IfExists if_exists) {
  if (if_exists == IfExists::kRefuse) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
    if (errno == EEXIST) refuse_existing(to);
    if (errno != EINVAL && errno != ENOSYS) fail_write(to, errno);  // these two: a file system without NOREPLACE
  }
  if (::rename(from.c_str(), to.c_str()) != 0) fail_write(to, errno);
}

fs::path without_trailing_slash(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

}  // namespace

void check_output(const fs::path& path, IfExists if_exists) {
  const fs::path target = without_trailing_slash(path);
  std::error_code ignored;
  if (!fs::is_directory(folder_of(target), ignored)) {
    fail_usage({.what = "the folder of the output does not exist",
                .where = path.string(),
                .hint = "mkdir -p " + folder_of(target).string()});
  }
  const fs::file_status status = fs::status(target, ignored);
  if (!fs::exists(status)) return;
  if (!fs::is_regular_file(status) && !fs::is_directory(status)) {
    fail_usage({.what = "output is a device or pipe, which cannot be replaced whole",
                .where = path.string(),
                .expected = "a file name"});
  }
  if (if_exists == IfExists::kRefuse) refuse_existing(path);
}

void write_all(int fd, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_write(path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void write_atomically(const fs::path& path, IfExists if_exists, const std::function<void(const fs::path&)>& write) {
  check_output(path, if_exists);
  Temporary temporary(beside(path, "partial"));
  write_temporary(write, temporary.path(), path);
  sync(temporary.path(), path);
  rename_into_place(temporary.path(), path, if_exists);
  temporary.release();
  sync(folder_of(path), path);
}

void write_atomically(const fs::path& path, IfExists if_exists, std::string_view contents) {
  write_atomically(path, if_exists, [&](const fs::path& temporary) {
    const FileDescriptor file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (file.get() < 0) fail_write(path, errno);
    write_all(file.get(), std::as_bytes(std::span(contents)), path);
  });
}

void write_folder_atomically(const fs::path& given, IfExists if_exists,
                             const std::function<void(const fs::path&)>& write) {
  const fs::path path = without_trailing_slash(given);
  check_output(path, if_exists);
  Temporary temporary(beside(path, "partial"));
  std::error_code error;
  if (!fs::create_directory(temporary.path(), error)) fail_write(path, error.value());
  write_temporary(write, temporary.path(), path);
  for (const auto& entry : fs::recursive_directory_iterator(temporary.path())) {
    if (entry.is_regular_file() || entry.is_directory()) sync(entry.path(), path);
  }
  sync(temporary.path(), path);

  // rename() does not replace a folder that holds something: the old one steps aside first, and back if the new one
  // cannot take its place. A crash in between leaves both complete.
  Temporary old(beside(path, "old"));
  const bool replace = if_exists == IfExists::kReplace && fs::exists(path);
  if (replace) rename_into_place(path, old.path(), IfExists::kRefuse);
  try {
    rename_into_place(temporary.path(), path, IfExists::kRefuse);
  } catch (...) {
    if (replace) ::rename(old.path().c_str(), path.c_str());
    old.release();  // if even that failed, the old folder stays where it is
    throw;
  }
  temporary.release();
  sync(folder_of(path), path);
}

}  // namespace likeness
