# Build tools: a compiler cache, a fast linker, sanitizers, and run paths that survive `cmake --install`.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
find_program(CCACHE ccache)
if(CCACHE)
  # The sloppiness lets precompiled headers be cached; the base folder lets two clones share one cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options($<$<LINK_LANGUAGE:CXX>:-fuse-ld=mold>)
endif()
if(LIKENESS_SANITIZE)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${LIKENESS_SANITIZE}> -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LIKENESS_SANITIZE})
endif()
# Installed programs find the libraries that travel with them in ../lib/likeness.
set(CMAKE_INSTALL_RPATH "$ORIGIN/../lib/likeness")
