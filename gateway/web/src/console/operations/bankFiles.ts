// Branches that take no messages, as a filter offers them, and the words for their files.
import { computed } from "vue";
import { answer, api } from "@/api/client";
import { useQuery } from "@/composables/useQuery";

export const FILE_KINDS = { batch: "办卡批次", recall: "撤回名单" } as const;
export const FILE_STATES = { waiting: "待下载", fetched: "已下载" } as const;

/** The branches that have files, also closed ones. */
export function useFileBranches() {
  const branches = useQuery((signal) => answer(api.GET("/api/v1/branches", { params: { query: { state: "all" } }, signal })));
  const known = computed(() =>
    (branches.answer.value?.items ?? []).filter(({ by_file, has_file_password }) => by_file || has_file_password),
  );
  const options = computed(() => known.value.map(({ code, name }) => ({ value: code, label: name })));
  return { branches, options };
}
