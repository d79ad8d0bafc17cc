// Starts the phone pages of members 个人办卡.
import "@/styles/tokens.css";
import "@/styles/base.css";
import { createApp } from "vue";
import App from "@/phone/App.vue";
import { router } from "@/phone/router";
import "@/styles/vant.css";

createApp(App).use(router).mount("#app");
