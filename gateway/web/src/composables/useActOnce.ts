// What a link asks a page to do when it has loaded: `?act=submit` opens the submission, once.
import { watch } from "vue";
import { useRoute, useRouter } from "vue-router";

/** Calls `act` as soon as `isReady`, and takes the wish out of the address, so that going back does not repeat it. */
export function useActOnce(wanted: string, isReady: () => boolean, act: () => unknown): void {
  const route = useRoute();
  const router = useRouter();
  watch(
    () => route.query.act === wanted && isReady(),
    async (isDue) => {
      if (!isDue) return;
      const { act: _done, ...query } = route.query;
      await router.replace({ query });
      await act();
    },
    { immediate: true },
  );
}
