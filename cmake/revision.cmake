# cmake -DSOURCE_DIR=… -DOUTPUT=revision.cpp -P revision.cmake: the git revision as a source file, touched only when it changes.
set(revision unknown)
find_program(GIT git)
if(GIT AND EXISTS ${SOURCE_DIR}/.git)  # an unpacked archive inside another repository has no revision of its own
  execute_process(COMMAND ${GIT} -C ${SOURCE_DIR} rev-parse --short=12 HEAD
    OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
  if(NOT failed)
    set(revision ${head})
    execute_process(COMMAND ${GIT} --no-optional-locks -C ${SOURCE_DIR} status --porcelain
      OUTPUT_VARIABLE changes ERROR_QUIET)
    if(changes)
      string(APPEND revision "+changes")
    endif()
  endif()
endif()
set(text "namespace likeness { extern const char* const kGitRevision; const char* const kGitRevision = \"${revision}\"; }\n")
set(old "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT old STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
