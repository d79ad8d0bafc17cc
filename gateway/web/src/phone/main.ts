// Starts the phone pages of members 个人办卡.
import "@/styles/tokens.css";
import "@/styles/base.css";
import "@/styles/large.css";
import { createApp } from "vue";
import App from "@/phone/App.vue";
import { showKeptType } from "@/phone/largeType";
import { router } from "@/phone/router";
import "@/styles/vant.css";

showKeptType();
createApp(App).use(router).mount("#app");
